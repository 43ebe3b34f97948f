internal import CGoHubLinux
internal import DequeModule
internal import Glibc
internal import GoHubCore
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
    let wakeup: Wakeup

    init(weightMax: Int) throws(StoreError) {
        self.weightMax = weightMax
        wakeup = try Wakeup()
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

/// Ends another thread's wait. A signal that comes before the wait ends it at once.
final class Wakeup: Sendable {
    let descriptor: Int32

    init() throws(StoreError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw StoreError("the system has no more descriptors (error \(errno))") }
    }

    deinit {
        Glibc.close(descriptor)
    }

    func signal() {
        var one: UInt64 = 1
        // Fails only when the counter is full: then the other thread has been told often enough.
        _ = write(descriptor, &one, 8)
    }

    /// Waits for a signal, or for what another descriptor is waited for.
    ///
    /// - Parameters:
    ///   - events: `POLLIN` and `POLLOUT`, of the other descriptor.
    /// - Returns: whether the other descriptor has something, be it an error.
    @discardableResult
    func wait(_ time: Milliseconds, or descriptor: Int32 = -1, events: Int32 = 0) -> Bool {
        // The system leaves out a descriptor below 0.
        var waiting = [
            pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0),
        ]
        _ = poll(&waiting, 2, Int32(clamping: time.value))
        if waiting[0].revents != 0 {
            var count: UInt64 = 0
            _ = read(self.descriptor, &count, 8)
        }
        return waiting[1].revents != 0
    }
}
