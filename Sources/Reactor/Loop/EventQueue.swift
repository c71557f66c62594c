internal import SystemPackage

/// What the loop needs of the system: to wait for many descriptors at once, and to be interrupted meanwhile. Each
/// system has one such type, under the name `SystemEventQueue`. The loop holds it as that type, so a call costs what it
/// costs without a protocol.
///
/// A change is reported once, when it happens, so nothing has to be read or unregistered to silence it. A reader that
/// stops early has to come back by itself. Every method but `wait` may be called from any thread.
protocol EventQueue: AnyObject, Sendable {
    init() throws(Errno)

    /// Reports what happens on the descriptor with the token, from now on, and what is ready already.
    func add(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno)

    /// Changes the interest, and reports anew what is ready already.
    func modify(_ descriptor: CInt, _ interest: Interest, token: UInt64) throws(Errno)

    /// Before the descriptor is closed. What is under way may still be reported.
    func remove(_ descriptor: CInt)

    /// Makes `wait` return, the present one or the next.
    func interrupt()

    /// Waits for events, for ever where `milliseconds` is -1. Says how many there are, interruptions among them, and
    /// passes each on that is none. May return early, without an event.
    func wait(milliseconds: CInt, woken: (_ count: Int) -> Void, _ body: (_ token: UInt64, Readiness) -> Void)
}
