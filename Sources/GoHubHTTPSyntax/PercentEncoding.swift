/// Decodes percent-encoding (RFC 3986, section 2.1).
package enum PercentEncoding {
    /// For a path, in which `+` is a plus.
    ///
    /// - Returns: `nil` for a `%` without two digits, and for a result that isn't UTF-8.
    package static func decode(_ text: some StringProtocol) -> String? { decode(text.utf8, plus: UInt8(ascii: "+")) }

    /// For a query, in which `+` is a space.
    ///
    /// - Returns: `nil` for a `%` without two digits, and for a result that isn't UTF-8.
    package static func decodeForm(_ text: some StringProtocol) -> String? {
        decode(text.utf8, plus: UInt8(ascii: " "))
    }

    /// - Parameter plus: the meaning of a `+`.
    private static func decode(_ text: some Sequence<UInt8>, plus: UInt8) -> String? {
        var bytes: [UInt8] = []
        var rest = text.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte == UInt8(ascii: "+") ? plus : byte)
                continue
            }
            guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
