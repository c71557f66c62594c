internal import Synchronization

/// A handler that is attached. It stays so until it is cancelled; the subscription itself need not be kept.
public final class Subscription: Sendable {
    private let cancelled = Atomic<Bool>(false)
    private let onCancel: @Sendable (Subscription) -> Void

    init(onCancel: @escaping @Sendable (Subscription) -> Void) {
        self.onCancel = onCancel
    }

    /// Of a handler that is never called.
    static var unattached: Subscription { Subscription { _ in } }

    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    /// Detaches the handler. From any thread; calling it again has no effect.
    ///
    /// On the handler's own loop it is not called again after this; a call that another thread has begun may still be
    /// going on.
    public func cancel() {
        guard !cancelled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        onCancel(self)
    }
}
