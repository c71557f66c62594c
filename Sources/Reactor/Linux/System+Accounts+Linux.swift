#if os(Linux)
    internal import Glibc

    /// The users and groups of this system.
    extension System {
        package static var isRoot: Bool { geteuid() == 0 }

        /// The number and the first group of a user; nil where there is no such user.
        package static func user(named name: String) -> (id: UInt32, group: UInt32)? {
            lookUp { entry, buffer, count, found in getpwnam_r(name, entry, buffer, count, found) }
                .map { ($0.pw_uid, $0.pw_gid) }
        }

        /// The first group of a user; nil where there is no such user.
        package static func firstGroup(ofUser id: UInt32) -> UInt32? {
            lookUp { entry, buffer, count, found in getpwuid_r(id, entry, buffer, count, found) }?.pw_gid
        }

        /// The number of a group; nil where there is no such group.
        package static func group(named name: String) -> UInt32? {
            lookUp { entry, buffer, count, found in getgrnam_r(name, entry, buffer, count, found) }.map {
                (entry: group) in
                entry.gr_gid
            }
        }

        /// Calls a function that wants a buffer of a size that nobody knows.
        private static func lookUp<Entry>(
            _ call: (
                UnsafeMutablePointer<Entry>, UnsafeMutablePointer<CChar>, Int,
                UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
            ) -> CInt
        ) -> Entry? {
            var size = 1024
            while size <= 1 << 20 {
                let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
                let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
                defer {
                    entry.deallocate()
                    buffer.deallocate()
                }
                var found: UnsafeMutablePointer<Entry>?
                switch call(entry, buffer, size, &found) {
                case 0: return found?.pointee
                case ERANGE: size *= 2
                case EINTR: continue
                default: return nil
                }
            }
            return nil
        }
    }
#endif
