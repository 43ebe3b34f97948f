/// One live session. Unique in the process for as long as it runs, and never used again.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The edge (event loop) that the session's connection lives on.
    public let edge: EdgeID
    /// The session's number on that edge, counted from 1.
    public let serial: UInt64

    public init(edge: EdgeID, serial: UInt64) {
        self.edge = edge
        self.serial = serial
    }

    public var description: String { "\(edge.index)-\(serial)" }
}

/// A place where connections live: an event loop, or an embedder's `Hub`.
public struct EdgeID: Hashable, Sendable {
    public let index: Int

    public init(_ index: Int) {
        self.index = index
    }
}
