internal import GoHubCore

/// A session and its connection. Belongs to the loop's thread.
final class WireSession: ConnectionCompanion {
    var machine: SessionStateMachine
    /// The connection holds this session while its WebSocket is open.
    let connection: Connection
    /// The rooms whose events the session receives.
    var subscriptions: [Subscription] = []

    init(_ machine: SessionStateMachine, _ connection: Connection) {
        self.machine = machine
        self.connection = connection
    }

    /// The time of the machine's next call.
    override var nextDeadline: MonotonicTime { machine.readDeadline() }
}

extension WireSession {
    /// Correct, because all connections of a server belong to its loops, and `HubLoop.opened` makes only sessions.
    static func of(_ companion: ConnectionCompanion) -> WireSession { unsafeDowncast(companion, to: WireSession.self) }
}

extension Connection {
    var session: WireSession? { companion.map { .of($0) } }
}
