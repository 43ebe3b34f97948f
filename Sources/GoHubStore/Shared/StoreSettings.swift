public import GoHubCore

/// What the durable stores have in common.
public struct StoreSettings: Sendable {
    /// How long a draft's (room, user, id) is known, so that a repeat is told the first one's offset.
    public var idempotencyWindow: Milliseconds = .seconds(24 * 60 * 60)
    public var retention = Retention()
    /// How often what is too old is looked for.
    public var sweepInterval: Milliseconds = .seconds(600)
    /// Tells what is too old. Nodes that share a database should agree about the time within minutes.
    public var clock: @Sendable () -> WallTime = { .now() }
    /// The most drafts that wait; more are refused at once.
    public var draftsWaitingMax = 100_000
    /// The most reads that wait; more are refused at once.
    public var readsWaitingMax = 10_000

    public init() {}
}
