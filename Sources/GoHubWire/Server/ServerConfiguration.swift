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
    /// Connections of one IPv4 address, or one IPv6 /64: an office's 200 browsers open 1,400. One of plain HTTP that is
    /// between two requests makes way for a new one.
    public var connectionsPerAddressMax = 2_000
    /// Requests of plain HTTP that are served at a time; as many connections to the HTTP server there are at most.
    public var httpPlacesMax = 1_000
    /// Of those, requests of one address: further ones wait. An address never has more than are free.
    public var httpPlacesPerAddressMax = 64
    /// Of those served, requests that the HTTP server may still have to look at: enough to keep some processors busy, and
    /// so few that the next one hardly waits behind them.
    public var httpFreshMax = 16
    /// How long a request counts as such: with a store that is slow it waits for that, and holds nobody up.
    public var httpFreshTime: Milliseconds = 50
    /// Requests that wait for such a place, each for at most `headTimeout`: more than an office's browsers open at once.
    public var httpWaitingMax = 4_096
    /// Bytes of requests that are held before they are on their way, of all clients together; the loops share them evenly.
    /// Each has at most the 16 KiB of a head.
    public var httpHeldBytesMax = 64 << 20
    /// Silence between two requests, or inside one's body, after which a connection of plain HTTP is closed. Less than the
    /// HTTP server's own, so that no request meets a connection that is just being closed there.
    public var httpIdleTimeout: Milliseconds = 27_000
    /// Bytes that wait for all clients together, those that many wait for counted once; the loops share them evenly. As
    /// it fills, those who hold the most are dropped.
    public var queuedBytesMax = 1 << 30
    /// How long nothing may move, either way, while a response of plain HTTP is on its way.
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
    public var webSocketPaths = Self.standardWebSocketPaths

    package static let standardWebSocketPaths = ["/v1/ws", "/ws"]
    /// The one WebSocket subprotocol of the hub.
    package static let subprotocol = UpgradeRequest.subprotocolName

    public init(listen: ListenAddress) {
        self.listen = listen
    }

    /// What a connection asks for.
    var connections: ConnectionSettings.Configuration {
        ConnectionSettings.Configuration(
            listen: listen, tls: tls, origins: origins, httpSocketPath: httpSocketPath, trustedProxies: trustedProxies,
            httpFreshTime: httpFreshTime, httpIdleTimeout: httpIdleTimeout, tunnelIdleTimeout: tunnelIdleTimeout,
            allowsTokenInQuery: allowsTokenInQuery, headTimeout: headTimeout, messageTimeout: messageTimeout,
            closeTimeout: closeTimeout, webSocketPaths: webSocketPaths)
    }
}
