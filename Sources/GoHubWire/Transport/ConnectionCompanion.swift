internal import GoHubCore

/// What the owner keeps with a connection whose WebSocket is open: the session, in a server.
///
/// A class to derive from, and not a protocol: each message asks for the deadline.
class ConnectionCompanion {
    /// When the owner must be called.
    var nextDeadline: MonotonicTime { MonotonicTime(nanoseconds: .max) }
}
