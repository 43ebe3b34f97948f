public import GoHubCore

/// The common settings of the durable stores.
public struct StoreSettings: Sendable {
    /// The time for which a draft's (room, user, id) is remembered, so that a repetition gets the first one's offset.
    public var idempotencyWindow: Milliseconds = .seconds(24 * 60 * 60)
    /// The entries that are removed; by default none.
    public var retention = Retention()
    /// The interval of retention.
    public var sweepInterval: Milliseconds = .seconds(600)
    /// The clock for retention. The clocks of nodes that share a database should agree within minutes.
    public var clock: @Sendable () -> WallTime = { .now() }
    /// The maximum number of waiting drafts; further ones are refused immediately.
    public var draftsWaitingMax = 100_000
    /// The maximum number of waiting reads; further ones are refused immediately.
    public var readsWaitingMax = 10_000

    public init() {}
}
