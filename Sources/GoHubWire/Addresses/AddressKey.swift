/// The key by which limits count a client with an address.
package enum AddressKey {
    /// - Parameter address: an IP address without a port.
    /// - Returns: an IPv4 address unchanged, and the /64 of an IPv6 one, which one subscriber owns as a whole; `nil`
    ///   for any other text.
    package static func of(_ address: String) -> String? { SocketAddress(ip: address)?.limitKey }
}
