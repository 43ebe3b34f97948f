/// A live session inside the hub: unique in it and never reused. What leaves the hub is `ClusterSessionID`.
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The edge (event loop) of the session's connection.
    package let edge: EdgeID
    /// The session's number on that edge, counted from 1.
    package let serial: UInt64

    package init(edge: EdgeID, serial: UInt64) {
        self.edge = edge
        self.serial = serial
    }

    package var description: String { "\(edge.index)-\(serial)" }
}

/// A place that holds connections: an event loop, or an embedder's `Hub`.
///
/// It has a number only inside its hub: no message goes to an edge of another node (`HubInput`).
package struct EdgeID: Hashable, Sendable {
    package let index: Int

    package init(_ index: Int) {
        self.index = index
    }
}

/// A session of any hub: never used again, and never equal to one of another node, of another hub in this process, or
/// of an earlier life.
///
/// For what leaves the hub: the `welcome`, default names of devices and guests, and logs. Inside the hub `SessionID`
/// alone is the key, because every look-up of a member pays for its size.
public struct ClusterSessionID: Hashable, Sendable, CustomStringConvertible {
    package let node: NodeIncarnation
    package let session: SessionID

    package init(node: NodeIncarnation, session: SessionID) {
        self.node = node
        self.session = session
    }

    /// - Parameter text: as `description` has it; `nil` otherwise.
    package init?(text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let node = NodeIncarnation(text: parts[0]), let edge = Self.number(parts[1]),
            let serial = Self.number(parts[2]), let index = Int(exactly: edge)
        else { return nil }
        self.init(node: node, session: SessionID(edge: EdgeID(index), serial: serial))
    }

    /// A number in its only spelling: no sign, and no zeros in front.
    private static func number(_ digits: Substring) -> UInt64? {
        guard let number = UInt64(digits), String(number) == digits else { return nil }
        return number
    }

    public var description: String { "\(node)-\(session)" }
}
