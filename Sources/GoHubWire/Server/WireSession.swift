internal import GoHubCore

/// A session and the connection that carries it. Belongs to the loop's thread, as what is said at `HubLoop` of unchecked
/// properties.
final class WireSession {
    #if !DEBUG
        @exclusivity(unchecked)
    #endif
    var machine: SessionStateMachine
    /// Has this session, and so outlives it.
    unowned let connection: Connection
    /// The rooms that it gets events of.
    #if !DEBUG
        @exclusivity(unchecked)
    #endif
    var subscriptions: [Subscription] = []

    init(_ machine: SessionStateMachine, _ connection: Connection) {
        self.machine = machine
        self.connection = connection
    }
}
