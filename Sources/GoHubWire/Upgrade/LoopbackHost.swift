/// Hosts that denote this machine: `localhost`, the addresses 127.0.0.0/8, and `::1`.
///
/// `Authority` decides what is a host and an address, for every Host field and every origin. So `127.000.000.001`,
/// which some software reads as 127.0.0.1 and some as a name, is neither here: it is no host.
public enum LoopbackHost {
    /// - Parameter host: a name or an address without a port; an IPv6 address with its brackets or without.
    public static func isMeant(by host: String) -> Bool {
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        let name = isBracketed ? host.dropFirst().dropLast() : host[...]
        return HTTPSyntax.equals(name, lowercase: "localhost") || SocketAddress(ip: name)?.isLoopback == true
    }

    /// - Parameter authority: the value of a Host field: a host, with its port if it has one (RFC 9110, section 7.2).
    public static func isMeant(byAuthority authority: String) -> Bool {
        Authority(authority).map { isMeant(by: $0.host) } ?? false
    }
}
