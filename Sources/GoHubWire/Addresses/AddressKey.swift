/// What limits count a client by that has an address.
package enum AddressKey {
    /// - Parameter address: an IP address without a port.
    /// - Returns: an IPv4 address as it is, and the /64 of an IPv6 one, which one subscriber has all of; `nil` for a text
    ///   that is no address.
    package static func of(_ address: String) -> String? { SocketAddress(ip: address)?.limitKey }
}
