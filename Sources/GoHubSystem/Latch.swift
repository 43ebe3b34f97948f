internal import Synchronization

/// A countdown latch: at zero it opens and wakes all waiting threads.
package final class Latch: Sendable {
    private struct State {
        var count: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    package init(count: Int) {
        state = Mutex(State(count: count))
    }

    package func countDown() {
        let released = state.withLock { state in
            state.count -= 1
            guard state.count == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in released { continuation.resume() }
    }

    package func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if state.count > 0 { state.waiting.append(continuation) }
                return state.count <= 0
            }
            if isOpen { continuation.resume() }
        }
    }
}
