internal import GoHubCore

/// The owner's object for a connection whose WebSocket is open: the session, in a server.
///
/// A base class and not a protocol, because each message reads the deadline.
class ConnectionCompanion {
    /// The time at which the owner must be called.
    var nextDeadline: MonotonicTime { MonotonicTime(nanoseconds: .max) }
}
