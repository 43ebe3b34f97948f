/// One life of a hub: 64 random bits, made once with its `SessionContext`. An id that is unique in
/// the hub is unique in the cluster and over restarts when the incarnation stands before it.
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

    package static func random() -> NodeIncarnation {
        var generator = SystemRandomNumberGenerator()
        return random(using: &generator)
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
