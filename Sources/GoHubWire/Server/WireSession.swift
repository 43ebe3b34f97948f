internal import GoHubCore

/// A session and the connection that carries it. Belongs to the loop's thread.
final class WireSession: ConnectionCompanion {
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
    override var nextDeadline: MonotonicTime {
        func deadline(of machine: inout SessionStateMachine) -> MonotonicTime { machine.nextDeadline }
        return deadline(of: &machine)
    }
}

extension Connection {
    var session: WireSession? {
        get {
            // Right, as only this property sets it: all connections of a server belong to its loops.
            companion.map { unsafeDowncast($0, to: WireSession.self) }
        }
        set { companion = newValue }
    }
}
