/// A connection's client: its peer, or the address named by a trusted proxy.
struct ClientAddress {
    let address: SocketAddress
    /// Whether a trusted proxy reports that the client's own link is encrypted (`X-Forwarded-Proto`).
    let isTLSAtProxy: Bool

    var limitKey: String { address.limitKey }

    /// Walks `X-Forwarded-For` from the right while the entries are trusted proxies: entries further left may be forged
    /// by the client.
    init(peer: SocketAddress, head: RequestHead, trusted: [AddressRange]) {
        var address = peer
        for hop in head.list("x-forwarded-for").reversed() {
            guard trusted.contains(where: { $0.contains(address) }), let named = SocketAddress(ip: hop) else { break }
            address = named
        }
        self.address = address
        let isProxy = trusted.contains { $0.contains(peer) }
        isTLSAtProxy = isProxy && head.list("x-forwarded-proto").last.map { $0 == "https" || $0 == "wss" } ?? false
    }
}
