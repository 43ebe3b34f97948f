internal import GoHubCore
internal import GoHubTLS

/// The settings of all connections of a server, fixed when it starts. An object, because every message reads a bound.
final class ConnectionSettings: Sendable {
    /// The configured settings; `ServerConfiguration` documents them and their defaults.
    struct Configuration: Sendable {
        var listen: ListenAddress
        var tls: TLSReloader?
        var origins: OriginPolicy
        var httpSocketPath: String?
        var trustedProxies: [AddressRange]
        var httpFreshTime: Milliseconds
        var httpIdleTimeout: Milliseconds
        var tunnelIdleTimeout: Milliseconds
        var allowsTokenInQuery: Bool
        var headTimeout: Milliseconds
        var messageTimeout: Milliseconds
        var closeTimeout: Milliseconds
        var webSocketPaths: [String]
    }

    let configuration: Configuration
    let requiresToken: Bool
    let queueBytesMax: Int
    let queueWatermarkBytes: Int
    let reader: WebSocketReader.Limits
    let head = RequestHeadParser.Limits()
    let deflate: DeflateConfiguration

    init(
        _ configuration: Configuration, limits: Limits, requiresToken: Bool,
        framesPerMessageMax: Int = WebSocketReader.Limits().framesPerMessageMax,
        deflate: DeflateConfiguration = DeflateConfiguration()
    ) {
        self.configuration = configuration
        self.requiresToken = requiresToken
        queueBytesMax = limits.queueBytesMax
        queueWatermarkBytes = limits.queueWatermarkBytes
        reader = WebSocketReader.Limits(
            messageBytesMax: limits.messageBytesMax, framesPerMessageMax: framesPerMessageMax)
        self.deflate = deflate
    }
}
