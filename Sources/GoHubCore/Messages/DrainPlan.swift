/// How sessions are sent away when the hub stops.
public struct DrainPlan: Hashable, Sendable {
    /// The closing is spread evenly over this time.
    public var closeOver: Milliseconds
    /// Clients are told windows that spread their coming back over this time.
    public var reconnectOver: Milliseconds

    /// A day at the most for either.
    public init(closeOver: Milliseconds, reconnectOver: Milliseconds) {
        self.closeOver = min(closeOver, .seconds(86_400))
        self.reconnectOver = min(reconnectOver, .seconds(86_400))
    }
}
