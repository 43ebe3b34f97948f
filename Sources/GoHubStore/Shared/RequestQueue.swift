internal import DequeModule
internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// What waits for a store's thread; bounded, and closed once.
final class RequestQueue<Request: Sendable>: Sendable {
    enum Refusal {
        case full
        case closed

        var error: StoreError {
            switch self {
            case .full: StoreError("too much waits for the store", mayBeStored: false)
            case .closed: StoreError("the store is closed", mayBeStored: false)
            }
        }
    }

    struct Entry: Sendable {
        let request: Request
        let weight: Int
        /// When an answer is due. Of two that wait, the one that came first has the earlier.
        let deadline: MonotonicTime
    }

    private struct State {
        var waiting: Deque<Entry> = []
        var weight = 0
        var isClosed = false
    }

    private let weightMax: Int
    private let state = Mutex(State())
    let wakeup: WakeupDescriptor

    init(weightMax: Int) throws(StoreError) {
        self.weightMax = weightMax
        do throws(SystemError) {
            wakeup = try WakeupDescriptor()
        } catch {
            throw StoreError("the system has no more descriptors (\(error))")
        }
    }

    /// - Parameter weight: what it counts against the bound; one request always fits.
    func put(
        _ request: Request, weight: Int = 1, deadline: MonotonicTime = MonotonicTime(nanoseconds: .max)
    ) -> Refusal? {
        let (refusal, wasEmpty) = state.withLock { state -> (Refusal?, Bool) in
            guard !state.isClosed else { return (.closed, false) }
            guard state.weight == 0 || state.weight + weight <= weightMax else { return (.full, false) }
            state.waiting.append(Entry(request: request, weight: weight, deadline: deadline))
            state.weight += weight
            return (nil, state.waiting.count == 1)
        }
        if wasEmpty { wakeup.signal() }
        return refusal
    }

    /// The first that wait, up to a weight, but one in any case. When there is none and the queue is closed, none will
    /// come any more.
    func take(weightMax: Int = .max) -> (entries: [Entry], isClosed: Bool) {
        state.withLock { state in
            var taken: [Entry] = []
            var weight = 0
            while let first = state.waiting.first, taken.isEmpty || first.weight <= weightMax - weight {
                weight += first.weight
                taken.append(first)
                state.waiting.removeFirst()
            }
            state.weight -= weight
            return (taken, state.isClosed)
        }
    }

    /// Those whose deadline has come.
    func takeLate(_ now: MonotonicTime) -> [Entry] {
        state.withLock { state in
            var late: [Entry] = []
            while let first = state.waiting.first, first.deadline <= now {
                state.weight -= first.weight
                late.append(first)
                state.waiting.removeFirst()
            }
            return late
        }
    }

    /// The first deadline of those that wait.
    var deadline: MonotonicTime? { state.withLock { $0.waiting.first?.deadline } }

    /// Closed, and nothing waits.
    var isOver: Bool { state.withLock { $0.isClosed && $0.waiting.isEmpty } }

    func close() {
        state.withLock { $0.isClosed = true }
        wakeup.signal()
    }
}
