internal import Synchronization

/// Where a completion leaves its value: with the caller, if it comes before the call that it completes has returned,
/// or with whoever is told later.
///
/// A store in memory answers at once, on the loop's own thread; this saves it the way over the mailbox.
final class Handoff<Value: Sendable>: Sendable {
    private enum State {
        case awaited
        case filled(Value)
        case detached
    }

    private let state = Mutex(State.awaited)

    /// - Returns: false when the caller has gone on, and the value has to find it another way.
    func fill(_ value: Value) -> Bool {
        state.withLock { state in
            if case .detached = state { return false }
            state = .filled(value)
            return true
        }
    }

    /// - Returns: the value when it is there; otherwise nobody waits here any more.
    func takeOrDetach() -> Value? {
        state.withLock { state in
            if case .filled(let value) = state { return value }
            state = .detached
            return nil
        }
    }
}

/// Hands something that isn't Sendable to another thread, for good.
///
/// Right where the giver makes it, passes it on and never touches it again: then it belongs to one thread at a time.
struct Handover<Value>: @unchecked Sendable {
    let value: Value
}
