/// Who a connection comes from: its peer, or whom a trusted proxy names.
struct ClientAddress {
    let address: SocketAddress
    /// Whether a trusted proxy says that the client's own link is encrypted (`X-Forwarded-Proto`).
    let isTLSAtProxy: Bool

    var limitKey: String { address.limitKey }

    /// Goes back through `X-Forwarded-For` from the right, for as long as a trusted proxy says so: what stands further
    /// left may be the client's own invention.
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
