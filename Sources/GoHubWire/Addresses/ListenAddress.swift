/// The address of a listener.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    let address: SocketAddress

    init(_ address: SocketAddress) {
        self.address = address
    }

    /// - Parameter text: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080`, `localhost:8080`; port 0 lets the system
    ///   choose. `nil` for any other text: other host names are not looked up.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let address = SocketAddress(ip: host == "localhost" ? "127.0.0.1" : host, port: port) else { return nil }
        self.address = address
    }

    /// The TCP port; 0 if the system chooses it.
    public var port: UInt16 { address.port }
    /// Whether only this machine can connect.
    public var isLoopback: Bool { address.isLoopback }
    public var description: String { address.description }
}
