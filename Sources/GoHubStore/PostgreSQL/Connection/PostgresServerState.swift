internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// Shared by the connections to one PostgreSQL server, to announce that it is back.
///
/// Each connection waits between its attempts with growing delays. The first successful one wakes the others, so that
/// all are back at once. Pass the same object to a message store and to the file catalog beside it.
public final class PostgresServerState: Sendable {
    /// The minimum time between two attempts of a link that others wake: the server may close each connection
    /// immediately.
    static let pause: Milliseconds = 50

    private let successes = Atomic<UInt64>(0)
    /// For the lifetime of the object: a few, one for each link.
    private let wakeups = Mutex<[WakeupDescriptor]>([])

    public init() {}

    /// The number of successful connections of all links.
    var connections: UInt64 { successes.load(ordering: .acquiring) }

    func add(_ wakeup: WakeupDescriptor) {
        wakeups.withLock { $0.append(wakeup) }
    }

    func connected() {
        successes.add(1, ordering: .releasing)
        for wakeup in wakeups.withLock({ $0 }) { wakeup.signal() }
    }
}
