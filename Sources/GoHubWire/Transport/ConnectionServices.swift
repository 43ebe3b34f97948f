internal import GoHubCore

/// What a loop does for its connections.
protocol ConnectionServices: AnyObject {
    var loop: EventLoop { get }
    var resources: ConnectionResources { get }
    var settings: ConnectionSettings { get }

    /// Something waits to be sent; `flush` is to be called at the end of the turn.
    func needsFlush(_ connection: Connection)
    /// Call `timerFired` at that time or soon after.
    func schedule(_ connection: Connection, at deadline: MonotonicTime)
    /// Have a token that came with the handshake verified, and pass the result to `authorized`.
    func verify(_ token: String, for connection: Connection)
    /// Takes a place for the address in the table of connections.
    func admit(_ connection: Connection, address: String) -> Bool
    /// Takes a place at the HTTP server for a request of the connection (`HTTPPlaces`).
    func takePlace(_ connection: Connection) -> HTTPPlaces.Answer
    /// The HTTP server has begun to answer the request, or has taken long.
    func settlePlace(_ connection: Connection)
    /// Gives the place back, and lets the connection's tunnel rest.
    ///
    /// - Returns: the turn that a notice about that is to name.
    func restPlace(_ connection: Connection) -> UInt64
    /// Gives back the connection's place, if it has or awaits one.
    func leavePlace(_ connection: Connection)
    /// What is worth a line in the log, at debug level.
    func note(_ connection: Connection, _ message: @autoclosure () -> String)
}

/// Without limits.
extension ConnectionServices {
    func admit(_ connection: Connection, address: String) -> Bool { true }
    func takePlace(_ connection: Connection) -> HTTPPlaces.Answer { .granted(keepsTunnel: true) }
    func settlePlace(_ connection: Connection) {}
    func restPlace(_ connection: Connection) -> UInt64 { 0 }
    func leavePlace(_ connection: Connection) {}
}
