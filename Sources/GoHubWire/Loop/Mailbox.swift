internal import GoHubSystem
internal import Synchronization

/// A loop's mailbox: other loops and threads put messages in, and wake the loop if it sleeps.
///
/// A sender puts in all messages of its turn at once, so it takes the lock once a turn and not once a message. A busy
/// loop looks itself before it sleeps, so messages between busy loops need no system call. The contents are bounded
/// because their causes are: each session's commands in flight.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var isOpen = true
        /// Whether the loop waits, or is about to, and has not been woken yet.
        var isAsleep = false
    }

    private let state = Mutex(State())
    private let wakeup: WakeupDescriptor

    init() throws(SystemError) {
        wakeup = try WakeupDescriptor()
    }

    /// Signalled to wake the loop, and never read: watch it edge-triggered.
    var descriptor: Int32 { wakeup.rawValue }

    /// - Returns: false when the loop has ended and will not read the messages.
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

    /// Takes all messages out.
    func fetch() -> [Message] {
        state.withLock { state in
            state.isAsleep = false
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// Announces that the loop is about to wait for its descriptors.
    ///
    /// - Returns: false when there are messages, which the loop must fetch first. Otherwise the next message wakes it.
    func sleep() -> Bool {
        state.withLock { state in
            state.isAsleep = state.messages.isEmpty
            return state.isAsleep
        }
    }

    /// Closes the mailbox at the loop's end.
    ///
    /// - Returns: the messages that the loop will not read.
    func close() -> [Message] {
        state.withLock { state in
            state.isOpen = false
            defer { state.messages = [] }
            return state.messages
        }
    }
}
