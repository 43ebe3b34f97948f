internal import GoHubCore

/// A loop's services for its connections.
protocol ConnectionServices: AnyObject {
    var loop: EventLoop { get }
    var resources: ConnectionResources { get }
    var settings: ConnectionSettings { get }

    /// Output is pending; call `flush` at the end of the turn.
    func needsFlush(_ connection: Connection)
    /// Calls `timerFired` at that time or soon after.
    func schedule(_ connection: Connection, at deadline: MonotonicTime)
    /// Verifies a handshake's token; the result goes to `authorized`.
    func verify(_ token: String, for connection: Connection)
    /// Takes a slot for the address in the table of connections.
    func admit(_ connection: Connection, address: String) -> Bool
    /// Takes a slot at the HTTP server for a request of the connection (`HTTPSlots`).
    func takeSlot(_ connection: Connection) -> HTTPSlots.Answer
    /// The HTTP server's response has begun, or the request has taken long.
    func settleSlot(_ connection: Connection)
    /// Frees the slot; the connection's tunnel becomes idle.
    ///
    /// - Returns: the turn that a notice about the tunnel must name.
    func restSlot(_ connection: Connection) -> UInt64
    /// Frees the connection's slot, if it has or awaits one.
    func releaseSlot(_ connection: Connection)
    /// Logs a line at debug level.
    func note(_ connection: Connection, _ message: @autoclosure () -> String)
}

/// Defaults without limits.
extension ConnectionServices {
    func admit(_ connection: Connection, address: String) -> Bool { true }
    func takeSlot(_ connection: Connection) -> HTTPSlots.Answer { .granted(keepsTunnel: true) }
    func settleSlot(_ connection: Connection) {}
    func restSlot(_ connection: Connection) -> UInt64 { 0 }
    func releaseSlot(_ connection: Connection) {}
}
