#if os(Linux)
    internal import CLinux
    internal import Glibc
    package import SystemPackage

    /// What the kernel says of a path. A path need not be UTF-8: its bytes reach the kernel, without the separators
    /// that are doubled or at its end, which `FilePath` removes.
    extension FilePath {
        /// The path of bytes without a NUL.
        package init(bytes: some Collection<UInt8>) {
            self.init(platformString: bytes.map { CChar(bitPattern: $0) } + [0])
        }

        package var bytes: [UInt8] {
            withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
        }

        package static func currentDirectory() throws(Errno) -> FilePath {
            guard let path = getcwd(nil, 0) else { throw Errno(rawValue: errno) }
            defer { free(path) }
            return FilePath(platformString: path)
        }

        package var exists: Bool { withPlatformString { access($0, F_OK) == 0 } }

        package var isDirectory: Bool {
            var status = Glibc.stat()
            return withPlatformString { fstatat(AT_FDCWD, $0, &status, 0) } == 0 && status.st_mode & S_IFMT == S_IFDIR
        }

        package var isExecutable: Bool { withPlatformString { access($0, X_OK) == 0 } && !isDirectory }

        /// Opens a directory, for a child to start in.
        package func openDirectory() throws(Errno) -> Descriptor {
            Descriptor(owning: try System.check { withPlatformString { clinux_open_directory($0) } })
        }

        /// Opens a file as a shell would for `<`, `>` and `>>`. Waits if that waits, as for a named pipe.
        package func openFile(for use: System.FileUse) throws(Errno) -> Descriptor {
            let flags =
                switch use {
                case .reading: O_RDONLY
                case .replacing: O_WRONLY | O_CREAT | O_TRUNC
                case .appending: O_WRONLY | O_CREAT | O_APPEND
                }
            // A terminal must not become this program's.
            let number = try System.check { withPlatformString { open($0, flags | O_CLOEXEC | O_NOCTTY, 0o666) } }
            return try Descriptor(owning: number).aboveStandardStreams()
        }
    }
#endif
