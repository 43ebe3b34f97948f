internal import CGoHubLinux
internal import Glibc
internal import Synchronization

/// How one loop, or any other thread, speaks to a loop: messages are put in, and the loop is woken once for all that
/// came since it last looked.
///
/// A sender puts in all that a turn of its own has for this loop at once, so the lock is taken once a turn and not
/// once a message. What bounds the contents is what bounds their causes: commands in flight of each session.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var isOpen = true
    }

    private let state = Mutex(State())
    /// Readable while there may be something to fetch.
    let descriptor: Int32

    init() throws(SystemError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw SystemError("eventfd") }
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// - Returns: false when the loop has ended and nobody will read it.
    @discardableResult
    func put(_ messages: [Message]) -> Bool {
        let (wasEmpty, isOpen) = state.withLock { state in
            guard state.isOpen else { return (false, false) }
            defer { state.messages += messages }
            return (state.messages.isEmpty, true)
        }
        if wasEmpty {
            // The counter can't overflow: it is written once per emptying.
            var one: UInt64 = 1
            _ = retryingInterrupts { write(descriptor, &one, 8) }
        }
        return isOpen
    }

    /// Takes everything out.
    func fetch() -> [Message] {
        var counter: UInt64 = 0
        _ = retryingInterrupts { read(descriptor, &counter, 8) }
        return state.withLock { state in
            defer { state.messages = [] }
            return state.messages
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
