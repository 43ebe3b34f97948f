/// The PROXY protocol's binary header, version 2 (haproxy.org, proxy-protocol.txt, section 2.2): passes the client's
/// address to the HTTP server behind the tunnel, in a form that no client can write.
enum ProxyHeader {
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    /// `PP2_TYPE_SSL` (section 2.2.6): `PP2_CLIENT_SSL`, the client connected over TLS, and without a verified client
    /// certificate.
    private static let tls: [UInt8] = [0x20, 0, 5, 0x01, 0, 0, 0, 1]

    /// - Parameter isTLS: the client's own link is encrypted, here or at a proxy that is trusted to report it.
    static func encode(client: SocketAddress, server: SocketAddress, isTLS: Bool) -> [UInt8] {
        // Version 2, command PROXY.
        var header = signature + [0x21]
        let isV4 = client.ip.count == 4 && server.ip.count == 4
        let (source, target) = isV4 ? (client.ip, server.ip) : (client.sixteenBytes, server.sixteenBytes)
        header.append(isV4 ? 0x11 : 0x21)
        let addresses = source + target + client.port.bigEndianBytes + server.port.bigEndianBytes
        let payload = isTLS ? addresses + tls : addresses
        header += UInt16(payload.count).bigEndianBytes
        return header + payload
    }
}

extension SocketAddress {
    /// IPv4 as an IPv4-mapped IPv6 address.
    fileprivate var sixteenBytes: [UInt8] {
        ip.count == 16 ? ip : [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + ip
    }
}

extension UInt16 {
    fileprivate var bigEndianBytes: [UInt8] { [UInt8(self >> 8), UInt8(truncatingIfNeeded: self)] }
}
