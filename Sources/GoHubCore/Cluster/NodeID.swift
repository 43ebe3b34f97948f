/// The name of a node as its operator gave it: unique among the live nodes of a cluster, and the same after a restart.
package struct NodeName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: String

    package static let bytesMax = 64

    /// - Parameter value: 1–64 ASCII letters, digits, `.`, `-` or `_`, as the configuration's key `node`; `nil`
    ///   otherwise.
    package init?(_ value: String) {
        guard (1...Self.bytesMax).contains(value.utf8.count), value.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.value = value
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    package static func < (left: NodeName, right: NodeName) -> Bool {
        left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
    }

    package static func == (left: NodeName, right: NodeName) -> Bool { left.value.hasSameBytes(as: right.value) }

    package func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    package var description: String { value }
}

/// A node of the cluster in one of its lives.
///
/// It addresses the node as a whole. Shards and edges (`EdgeID`) have numbers only inside their node: see `HubInput`.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let name: NodeName
    package let incarnation: NodeIncarnation

    package init(name: NodeName, incarnation: NodeIncarnation) {
        self.name = name
        self.incarnation = incarnation
    }

    package static func < (left: NodeID, right: NodeID) -> Bool {
        (left.name, left.incarnation) < (right.name, right.incarnation)
    }

    package var description: String { "\(name)@\(incarnation)" }
}
