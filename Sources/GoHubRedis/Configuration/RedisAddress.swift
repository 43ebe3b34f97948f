/// The address of a server: a name, or an IP address without brackets, and a port.
package struct RedisAddress: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: UInt16

    package static let hostBytesMax = 253

    /// - Parameters:
    ///   - host: 1–253 ASCII letters, digits, `.`, `-`, `_` or, in an IPv6 address, `:`; `nil` otherwise.
    ///   - port: `nil` for 0.
    package init?(host: String, port: UInt16) {
        guard (1...Self.hostBytesMax).contains(host.utf8.count), host.utf8.allSatisfy(Self.isAllowed), port != 0 else {
            return nil
        }
        self.host = host
        self.port = port
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }

    package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
