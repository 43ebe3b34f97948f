public import GoHubCore

/// The behaviour of a connection to PostgreSQL, for any purpose.
public struct PostgresOptions: Sendable {
    /// The purpose of a connection.
    public enum Purpose: String, Sendable {
        /// Messages, receipts, mutes and bans, and retention.
        case writing
        /// Pages of history, and users' rooms.
        case reading
        /// The records of files.
        case files
    }

    /// An event for the operator. Contains no password.
    public enum Event: Sendable {
        /// The connection is established and its tables are ready.
        case connected(Purpose)
        /// The connection is lost, or can't be established.
        case lost(Purpose, StoreError)
        /// A setting of the server breaks this store's guarantees, a server has taken over that may have lost
        /// messages, another hub uses the database, or retention failed.
        case warning(String)
    }

    /// The time limit for an answer, including the time in the queue.
    public var deadline: Milliseconds = .seconds(10)
    /// The time limit for connecting.
    public var connectTimeout: Milliseconds = .seconds(10)
    /// The time limit for creating or changing the tables, and for waiting for another node that does.
    public var migrationTimeout: Milliseconds = .seconds(600)
    /// Whether an older database is migrated. Otherwise the store refuses it (`incompatible`).
    public var migrates = true
    /// Whether the hub is in the registry of a cluster, so that others there are expected.
    package var isClustered = false
    /// The first and the longest wait between two attempts to connect. A connection that succeeds ends the waits of
    /// the others.
    public var reconnectAfter: ClosedRange<Milliseconds> = 100 ... .seconds(2)
    /// Shared by the connections to one server; see `PostgresServerState`.
    public var server = PostgresServerState()
    /// Spreads the attempts of several nodes.
    public var random: @Sendable () -> UInt64 = { .random(in: .min ... .max) }
    /// Receives events, on the store's threads.
    public var report: @Sendable (Event) -> Void = { _ in }

    public init() {}

    /// The time limit for each of a request's two waits: for its turn, and for the server.
    var patience: Milliseconds { Milliseconds(max(1, deadline.value / 2)) }

    var backoff: Backoff { Backoff(min: reconnectAfter.lowerBound, max: reconnectAfter.upperBound) }
}
