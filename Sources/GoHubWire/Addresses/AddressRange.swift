/// A range of IP addresses, such as trusted proxies.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    private let prefix: [UInt8]
    private let bits: Int

    /// - Parameter text: `10.0.0.0/8`, `2001:db8::/32`, or a single address; `nil` for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = SocketAddress(ip: first) else { return nil }
        prefix = address.ip
        guard parts.count == 2 else {
            bits = prefix.count * 8
            return
        }
        // `Int` would accept signs, too.
        guard parts[1].utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let bits = Int(parts[1]), (0...prefix.count * 8).contains(bits)
        else { return nil }
        self.bits = bits
    }

    func contains(_ address: SocketAddress) -> Bool {
        guard address.ip.count == prefix.count else { return false }
        let whole = bits / 8
        guard address.ip[..<whole] == prefix[..<whole] else { return false }
        let rest = bits % 8
        guard rest > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return address.ip[whole] & mask == prefix[whole] & mask
    }

    public var description: String { "\(SocketAddress(ip: prefix, port: 0).text)/\(bits)" }
}
