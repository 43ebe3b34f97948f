internal import CGoHubLinux
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
            case .full: StoreError("too much waits for the store")
            case .closed: StoreError("the store is closed")
            }
        }
    }

    private struct State {
        var waiting: [Request] = []
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
    func put(_ request: Request, weight: Int = 1) -> Refusal? {
        let (refusal, wasEmpty) = state.withLock { state -> (Refusal?, Bool) in
            guard !state.isClosed else { return (.closed, false) }
            guard state.weight == 0 || state.weight + weight <= weightMax else { return (.full, false) }
            state.waiting.append(request)
            state.weight += weight
            return (nil, state.waiting.count == 1)
        }
        if wasEmpty { wakeup.signal() }
        return refusal
    }

    /// All that waits. When it is nothing and the queue is closed, nothing will come any more.
    func takeAll() -> (requests: [Request], isClosed: Bool) {
        state.withLock { state in
            defer { (state.waiting, state.weight) = ([], 0) }
            return (state.waiting, state.isClosed)
        }
    }

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

    /// Takes the signals so far, so that the next wait is one.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    func wait(_ time: Milliseconds) {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, Int32(clamping: time.value))
        clear()
    }
}
