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

    /// When the machine must be called. Read in place, by each message: a copy of the machine would be dear.
    var nextDeadline: MonotonicTime {
        func deadline(of machine: inout SessionStateMachine) -> MonotonicTime { machine.nextDeadline }
        return deadline(of: &machine)
    }
}
