public import GoHubCore

/// How a connection to PostgreSQL behaves, whatever it is for.
public struct PostgresOptions: Sendable {
    /// What a connection is for.
    public enum Purpose: String, Sendable {
        case writing
        case reading
        case files
    }

    /// What an operator should know of. Holds no password.
    public enum Event: Sendable {
        case connected(Purpose)
        /// The connection is lost, or can't be had.
        case lost(Purpose, StoreError)
        /// A setting of the server breaks what this store promises, or what is too old couldn't be removed.
        case warning(String)
    }

    /// How long an answer may take, with the time that the request waits.
    public var deadline: Milliseconds = .seconds(10)
    /// How long connecting may take.
    public var connectTimeout: Milliseconds = .seconds(10)
    /// How long making or changing the tables may take, and waiting for another node that does.
    public var migrationTimeout: Milliseconds = .seconds(600)
    /// The first and the longest wait between two attempts to connect. A connection that succeeds ends the waits of
    /// the others.
    public var reconnectAfter: ClosedRange<Milliseconds> = 100 ... .seconds(2)
    /// Shared by what connects to one server; see `PostgresServerState`.
    public var server = PostgresServerState()
    /// Spreads the attempts of several nodes.
    public var random: @Sendable () -> UInt64 = { .random(in: .min ... .max) }
    /// Is told what happens, on the store's threads.
    public var report: @Sendable (Event) -> Void = { _ in }

    public init() {}

    /// How long one of an answer's two waits may take: for its turn, and for the server.
    var patience: Milliseconds { Milliseconds(max(1, deadline.value / 2)) }

    var backoff: Backoff { Backoff(min: reconnectAfter.lowerBound, max: reconnectAfter.upperBound) }
}
