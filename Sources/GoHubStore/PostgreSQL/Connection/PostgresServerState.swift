internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// What the connections to one PostgreSQL server tell each other: that it is back.
///
/// Each waits by itself between its attempts, longer and longer. The first one that gets through wakes the others, so
/// that they are all back when the first one is. Give the same object to a message store and to the file catalog beside it.
public final class PostgresServerState: Sendable {
    /// The least time between two attempts of a link that others wake: the server may close each connection at once.
    static let pause: Milliseconds = 50

    private let successes = Atomic<UInt64>(0)
    /// For as long as the object lives: a few, one for each link.
    private let wakeups = Mutex<[WakeupDescriptor]>([])

    public init() {}

    /// How often any of them has connected.
    var connections: UInt64 { successes.load(ordering: .acquiring) }

    func add(_ wakeup: WakeupDescriptor) {
        wakeups.withLock { $0.append(wakeup) }
    }

    func connected() {
        successes.add(1, ordering: .releasing)
        for wakeup in wakeups.withLock({ $0 }) { wakeup.signal() }
    }
}
