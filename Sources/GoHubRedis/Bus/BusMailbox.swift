internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// A request of the node to the bus thread.
enum ThreadRequest: Sendable {
    case subscribe([ClusterTopic])
    case unsubscribe([ClusterTopic])
    case publish(ClusterMessage, to: ClusterTopic, number: UInt64, at: HybridTime)
    /// The run ids of the other nodes' servers.
    case compare([String])
}

/// The requests that wait for the bus thread. Nobody who puts one in ever waits.
///
/// A request belongs to the link for which it was made: a link that is lost takes its requests with it. So requests
/// are only kept while there is a link, and those for an earlier one are dropped.
///
/// Messages are bounded by their bytes. Topics aren't: there are no more than the node has rooms and users, and a link
/// that is given up for them would be given up again.
final class BusMailbox: Sendable {
    struct Contents: Sendable {
        var requests: [ThreadRequest] = []
        /// Whether requests were dropped, because more waited than may: the link must be given up.
        var isOverflown = false
        /// Whether the node has given the link up.
        var isReset = false
        var isStopping = false
    }

    private struct State {
        /// The link for which requests are taken; `nil` while there is none.
        var link: UInt64?
        var links: UInt64 = 0
        var contents = Contents()
        var bytes = 0
        /// Whether the thread waits, or is about to, and has not been woken yet.
        var isAsleep = false

        /// Drops all requests, and takes none.
        mutating func drop() {
            link = nil
            bytes = 0
            contents.requests = []
            contents.isOverflown = false
            contents.isReset = false
        }
    }

    private let state = Mutex(State())
    private let stopping = Atomic(false)
    private let bytesMax: Int
    let wakeup: WakeupDescriptor

    init(bytesMax: Int) throws(SystemError) {
        self.bytesMax = bytesMax
        wakeup = try WakeupDescriptor()
    }

    // MARK: The node's side

    /// The number of the current link, or the last one; 0 before the first.
    var link: UInt64 { state.withLock { $0.links } }

    /// - Parameter link: the link that the request is for; `nil` for the current one.
    func put(_ request: ThreadRequest, for link: UInt64? = nil) {
        let bytes = request.messageBytes
        let wakes = state.withLock { state in
            guard let current = state.link, link ?? current == current else { return false }
            state.bytes += bytes
            if state.bytes > bytesMax {
                state.drop()
                state.contents.isOverflown = true
            } else {
                state.contents.requests.append(request)
            }
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if wakes { wakeup.signal() }
    }

    /// Asks the thread to give the link up.
    func reset() {
        let wakes = state.withLock { state in
            guard state.link != nil else { return false }
            state.drop()
            state.contents.isReset = true
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if wakes { wakeup.signal() }
    }

    /// Asks the thread to end, after the requests that wait.
    func stop() {
        stopping.store(true, ordering: .releasing)
        state.withLock { $0.contents.isStopping = true }
        wakeup.signal()
    }

    /// Whether nothing may be reported any more.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    // MARK: The thread's side

    /// Takes requests from now on, for a new link.
    func open() {
        state.withLock { state in
            state.drop()
            state.links += 1
            state.link = state.links
        }
    }

    /// Drops all requests, and takes none.
    func close() { state.withLock { $0.drop() } }

    /// Takes everything out.
    func fetch() -> Contents {
        state.withLock { state in
            state.isAsleep = false
            state.bytes = 0
            defer {
                state.contents.requests = []
                state.contents.isOverflown = false
                state.contents.isReset = false
            }
            return state.contents
        }
    }

    /// Announces that the thread is about to wait.
    ///
    /// - Returns: false when there is something to fetch first. Otherwise the next request signals `wakeup`.
    func sleep() -> Bool {
        state.withLock { state in
            let contents = state.contents
            state.isAsleep = contents.requests.isEmpty && !contents.isOverflown && !contents.isReset
            return state.isAsleep
        }
    }
}

extension ThreadRequest {
    fileprivate var messageBytes: Int {
        guard case .publish(let message, _, _, _) = self else { return 0 }
        return message.weight
    }
}
