public import GoHubCore
internal import Glibc
// Exported, so that users of this library need not import it for the settings and errors of TLS.
@_exported public import GoHubTLS

/// The configuration of a `HubServer`. Everything but the address has a default.
public struct ServerConfiguration: Sendable {
    /// The address and port of the listener, for WebSockets and plain HTTP.
    public var listen: ListenAddress
    /// Event loops, each with a thread. By default one per core, at most 64; values below 1 count as 1.
    public var loops = max(1, min(64, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    /// `nil` serves plain connections.
    public var tls: TLSReloader?
    /// The origins of pages that may connect.
    public var origins = OriginPolicy.sameOrigin
    /// The Unix socket of the HTTP server for requests that aren't WebSockets. Each connection begins with a PROXY
    /// protocol v2 header. `nil` answers such requests with 404.
    public var httpSocketPath: String?
    /// Proxies whose `X-Forwarded-For` is trusted; none by default.
    public var trustedProxies: [AddressRange] = []
    /// Connections in total.
    public var connectionsMax = 100_000
    /// Connections of one IPv4 address, or one IPv6 /64: an office's 200 browsers open 1,400. A new one replaces a
    /// plain HTTP connection that is between two requests.
    public var connectionsPerAddressMax = 2_000
    /// Concurrent plain HTTP requests, and the maximum number of connections to the HTTP server.
    public var httpSlotsMax = 1_000
    /// Concurrent requests of one address; further ones wait. An address never gets more than are free.
    public var httpSlotsPerAddressMax = 64
    /// Concurrent requests that the HTTP server may still have to look at: enough to keep some processors busy, and so
    /// few that the next one hardly waits behind them.
    public var httpFreshMax = 16
    /// The time for which a request counts as such. With a slow store it waits for the store and delays nobody.
    public var httpFreshTime: Milliseconds = 50
    /// Requests that wait for such a slot, each for at most `headTimeout`: more than an office's browsers open at once.
    public var httpWaitingMax = 4_096
    /// Bytes held for requests that haven't been forwarded yet, of all clients together; the loops share them evenly.
    /// Each client has at most the 16 KiB of a head.
    public var httpHeldBytesMax = 64 << 20
    /// The idle time between two requests, or within a body, after which a plain HTTP connection is closed. Shorter
    /// than the HTTP server's own, so that no request meets a connection that is just being closed there.
    public var httpIdleTimeout: Milliseconds = 27_000
    /// Bytes queued for all clients together, with shared bytes counted once; the loops share them evenly. Near the
    /// limit, the clients with the longest queues are dropped.
    public var queuedBytesMax = 1 << 30
    /// The time without progress in either direction after which a response of plain HTTP is aborted.
    public var tunnelIdleTimeout: Milliseconds = 60_000
    /// Whether a token may be in the query as `access_token`, where proxies log it.
    public var allowsTokenInQuery = false
    /// Whether permessage-deflate is negotiated (RFC 7692).
    public var deflate = false
    /// The time limit from accepting a connection to the end of its request head, including TLS.
    public var headTimeout: Milliseconds = 10_000
    /// The time limit for a message, from its first frame to its last.
    public var messageTimeout: Milliseconds = 30_000
    /// The time limit of a closing connection for its last bytes and the peer's close frame.
    public var closeTimeout: Milliseconds = 5_000
    /// The paths of the WebSocket.
    public var webSocketPaths = Self.standardWebSocketPaths

    package static let standardWebSocketPaths = ["/v1/ws", "/ws"]
    /// The one WebSocket subprotocol of the hub.
    package static let subprotocol = UpgradeRequest.subprotocolName

    /// - Parameter listen: the address and port of the listener; port 0 lets the system choose.
    public init(listen: ListenAddress) {
        self.listen = listen
    }

    /// The settings of connections.
    var connections: ConnectionSettings.Configuration {
        ConnectionSettings.Configuration(
            listen: listen, tls: tls, origins: origins, httpSocketPath: httpSocketPath, trustedProxies: trustedProxies,
            httpFreshTime: httpFreshTime, httpIdleTimeout: httpIdleTimeout, tunnelIdleTimeout: tunnelIdleTimeout,
            allowsTokenInQuery: allowsTokenInQuery, headTimeout: headTimeout, messageTimeout: messageTimeout,
            closeTimeout: closeTimeout, webSocketPaths: webSocketPaths)
    }
}
