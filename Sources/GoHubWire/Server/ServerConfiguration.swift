public import GoHubCore
internal import Glibc

/// How a `HubServer` serves. Everything but the address has a default.
public struct ServerConfiguration: Sendable {
    public var listen: ListenAddress
    /// Event loops, each with a thread; one for each core.
    public var loops = max(1, min(64, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    /// `nil` serves plain connections.
    public var tls: TLSReloader?
    /// Which pages may connect.
    public var origins = OriginPolicy.sameOrigin
    /// The Unix socket of the HTTP server that gets what isn't a WebSocket, each connection led by a PROXY protocol v2
    /// header. `nil` answers such requests with 404.
    public var httpSocketPath: String?
    /// Proxies whose `X-Forwarded-For` is believed; nobody's by default.
    public var trustedProxies: [AddressRange] = []
    /// Connections in total.
    public var connectionsMax = 100_000
    /// Connections of one IPv4 address, or one IPv6 /64.
    public var connectionsPerAddressMax = 1_000
    /// Of those, connections that are tunnelled to the HTTP server, so that nobody fills that one alone.
    public var tunnelsPerAddressMax = 64
    /// Bytes that wait for all clients together, those that many wait for counted once; the loops share them evenly. As
    /// it fills, those who hold the most are dropped.
    public var queuedBytesMax = 1 << 30
    /// How long nothing may move in a tunnel, either way.
    public var tunnelIdleTimeout: Milliseconds = 60_000
    /// Whether a token may stand in the query as `access_token`, where proxies log it.
    public var allowsTokenInQuery = false
    /// Whether permessage-deflate is negotiated (RFC 7692).
    public var deflate = false
    /// From accepting a connection to the end of its request head, TLS included.
    public var headTimeout: Milliseconds = 10_000
    /// How long a message may take from its first frame to its last.
    public var messageTimeout: Milliseconds = 30_000
    /// How long a closing connection has for its last bytes and the peer's close frame.
    public var closeTimeout: Milliseconds = 5_000
    /// The paths at which a WebSocket is opened.
    public var webSocketPaths = ["/v1/ws", "/ws"]

    public init(listen: ListenAddress) {
        self.listen = listen
    }
}
