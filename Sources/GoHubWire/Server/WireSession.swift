internal import GoHubCore

/// A session and the connection that carries it. Belongs to the loop's thread.
final class WireSession {
    var machine: SessionStateMachine
    /// Has this session, until it ends.
    let connection: Connection
    /// The rooms that it gets events of.
    var subscriptions: [Subscription] = []

    init(_ machine: SessionStateMachine, _ connection: Connection) {
        self.machine = machine
        self.connection = connection
    }
}
