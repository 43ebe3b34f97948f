internal import DequeModule
internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// The queue of a store's thread; bounded, and closed once.
final class RequestQueue<Request: Sendable>: Sendable {
    enum Refusal {
        case full
        case closed

        var error: StoreError {
            switch self {
            case .full: StoreError(.busy, "The store's queue is full. Try again shortly.", mayBeStored: false)
            case .closed: StoreError(.closed, "The store is closed.", mayBeStored: false)
            }
        }
    }

    struct Entry: Sendable {
        let request: Request
        let weight: Int
        /// The deadline for the answer. Of two queued requests, the earlier one has the earlier deadline.
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
            throw StoreError(
                .unavailable, "No file descriptors are left (\(error)). Raise the limit (ulimit -n).", underlying: error
            )
        }
    }

    /// - Parameter weight: the request's weight against the bound; one request always fits.
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

    /// Takes the first queued requests, up to a weight, but at least one. An empty result from a closed queue is final.
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

    /// Takes the requests whose deadline has passed.
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

    /// The first deadline of the queued requests.
    var deadline: MonotonicTime? { state.withLock { $0.waiting.first?.deadline } }

    /// Whether the queue is closed and empty.
    var isOver: Bool { state.withLock { $0.isClosed && $0.waiting.isEmpty } }

    func close() {
        state.withLock { $0.isClosed = true }
        wakeup.signal()
    }
}
