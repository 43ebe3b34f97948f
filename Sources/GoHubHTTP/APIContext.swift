internal import GoHubHTTPSyntax
public import Hummingbird
internal import Logging
public import NIOCore

/// The context of a request from router to handler: Hummingbird's own, and the request's origin.
public struct APIContext: RequestContext {
    /// Hummingbird's own context.
    public var coreContext: CoreRequestContextStorage
    /// The client's address: from the PROXY header before the connection's first byte if there was one, otherwise the
    /// connection's own. `nil` when neither is known.
    public let peer: SocketAddress?
    /// Whether the client's own link is encrypted, as reported by the PROXY header.
    public let isTLS: Bool
    /// The connection, for interim responses (RFC 9110, section 15.2), which a handler can't return.
    public let channel: (any Channel)?

    /// Called by Hummingbird for each request.
    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        let proxied = ProxiedClient.current
        peer = proxied.map(\.address) ?? source.channel.remoteAddress
        isTLS = proxied?.isTLS ?? false
    }

    /// A logger whose lines identify their request. Hummingbird's own isn't used, because it logs as little as a
    /// library should.
    func labelling(_ logger: Logger) -> Logger {
        var labelled = logger
        // Not labelled with the context's `id`, which traps when the log handler keeps no metadata.
        labelled[metadataKey: "request"] = self.logger[metadataKey: "hb.request.id"]
        if let address = peer?.ipAddress { labelled[metadataKey: "peer"] = .string(address) }
        return labelled
    }
}
