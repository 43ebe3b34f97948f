internal import Hummingbird
internal import Logging
internal import NIOCore

/// What goes with a request from router to handler: Hummingbird's own, and where the request came from.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The client's address; `nil` when the tunnel named none.
    let peer: SocketAddress?
    /// Whether the client's own link is encrypted, as the tunnel tells.
    let isTLS: Bool
    /// The connection, for interim responses (RFC 9110, section 15.2), which a handler can't return.
    let channel: (any Channel)?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        peer = ProxiedClient.current.address
        isTLS = ProxiedClient.current.isTLS
    }

    /// A logger whose lines say which request they are about. Hummingbird's own isn't used: it is as quiet as a library
    /// should be.
    func labelling(_ logger: Logger) -> Logger {
        var labelled = logger
        // Not by the context's `id`, which traps when the log handler keeps no metadata.
        labelled[metadataKey: "request"] = self.logger[metadataKey: "hb.request.id"]
        if let address = peer?.ipAddress { labelled[metadataKey: "peer"] = .string(address) }
        return labelled
    }
}
