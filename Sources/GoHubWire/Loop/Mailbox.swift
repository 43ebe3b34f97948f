internal import GoHubSystem
internal import Synchronization

/// How one loop, or any other thread, speaks to a loop: messages are put in, and the loop is woken if it sleeps.
///
/// A sender puts in all that a turn of its own has for this loop at once, so the lock is taken once a turn and not
/// once a message. A loop that is at work looks by itself before it sleeps, so that between busy loops there is no
/// system call. What bounds the contents is what bounds their causes: commands in flight of each session.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var isOpen = true
        /// The loop waits, or is about to, and nobody has woken it yet.
        var isAsleep = false
    }

    private let state = Mutex(State())
    private let wakeup: WakeupDescriptor

    init() throws(SystemError) {
        wakeup = try WakeupDescriptor()
    }

    /// Signalled to wake the loop, and never read: to be watched by edge.
    var descriptor: Int32 { wakeup.rawValue }

    /// - Returns: false when the loop has ended and nobody will read it.
    @discardableResult
    func put(_ messages: [Message]) -> Bool {
        let (isAsleep, isOpen) = state.withLock { state in
            guard state.isOpen else { return (false, false) }
            state.messages += messages
            defer { state.isAsleep = false }
            return (state.isAsleep, true)
        }
        if isAsleep { wakeup.signal() }
        return isOpen
    }

    /// Takes everything out.
    func fetch() -> [Message] {
        state.withLock { state in
            state.isAsleep = false
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// The loop is about to wait for its descriptors.
    ///
    /// - Returns: false when there are messages: it must fetch them first. Otherwise the next one wakes it.
    func sleep() -> Bool {
        state.withLock { state in
            state.isAsleep = state.messages.isEmpty
            return state.isAsleep
        }
    }

    /// The loop ends.
    ///
    /// - Returns: what it will not read any more.
    func close() -> [Message] {
        state.withLock { state in
            state.isOpen = false
            defer { state.messages = [] }
            return state.messages
        }
    }
}
