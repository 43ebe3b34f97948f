/// The schedule for closing sessions when the hub stops.
public struct DrainPlan: Hashable, Sendable {
    /// The time over which closing is spread evenly.
    public var closeOver: Milliseconds
    /// The time over which clients are asked to spread their reconnects.
    public var reconnectOver: Milliseconds

    /// Both times are at most a day.
    public init(closeOver: Milliseconds, reconnectOver: Milliseconds) {
        self.closeOver = min(closeOver, .seconds(86_400))
        self.reconnectOver = min(reconnectOver, .seconds(86_400))
    }
}
