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

/// One life of a node's process: 64 random bits, made at its start. What is unique in the process becomes unique in the
/// cluster, and over restarts, together with it.
package struct NodeIncarnation: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Never 0.
    package let value: UInt64

    /// - Parameter value: `nil` for 0, which stands for no incarnation in a row or a frame.
    package init?(_ value: UInt64) {
        guard value != 0 else { return nil }
        self.value = value
    }

    /// - Parameter text: 16 lower-case hexadecimal digits, as `description` has them; `nil` otherwise.
    package init?(text: some StringProtocol) {
        guard text.utf8.count == 16 else { return nil }
        var value: UInt64 = 0
        for byte in text.utf8 {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            default: return nil
            }
            value = value << 4 | UInt64(digit)
        }
        self.init(value)
    }

    package static func random(using generator: inout some RandomNumberGenerator) -> NodeIncarnation {
        while true {
            // Once in 2⁶⁴ the number is 0.
            if let incarnation = NodeIncarnation(generator.next()) { return incarnation }
        }
    }

    package static func < (left: NodeIncarnation, right: NodeIncarnation) -> Bool { left.value < right.value }

    package var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// A node of the cluster in one of its lives.
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

/// A session of any node: never used again, and never equal to one of another node or of an earlier life.
///
/// Inside the process `SessionID` alone stays the key, because every look-up of a member pays for its size. This one is
/// for what leaves the process: claims, logs, and the `welcome`.
package struct ClusterSessionID: Hashable, Sendable, CustomStringConvertible {
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

    package var description: String { "\(node)-\(session)" }
}
