/// A live session. Unique in the process and never reused.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The edge (event loop) of the session's connection.
    package let edge: EdgeID
    /// The session's number on that edge, counted from 1.
    package let serial: UInt64

    package init(edge: EdgeID, serial: UInt64) {
        self.edge = edge
        self.serial = serial
    }

    public var description: String { "\(edge.index)-\(serial)" }
}

/// A place that holds connections: an event loop, or an embedder's `Hub`.
package struct EdgeID: Hashable, Sendable {
    package let index: Int

    package init(_ index: Int) {
        self.index = index
    }
}
