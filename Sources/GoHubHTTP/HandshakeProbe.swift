public import GoHubCore
public import GoHubWire
internal import HTTPTypes
internal import Hummingbird

/// Tells over HTTP what a WebSocket handshake would be answered, at the same paths.
///
/// A browser tells a page nothing of a handshake that was refused. So a page asks here, without an upgrade, and gets the
/// status that the handshake would get; 426 when nothing speaks against a WebSocket. What gets here asked for no
/// WebSocket, or Wire would have kept it.
public struct HandshakeProbe: Sendable {
    let origins: OriginPolicy
    /// What is asked where nobody needs a token.
    let tokenless: TokenlessAccess
    /// `nil` in development mode.
    let verifier: (any TokenVerifier)?
    let hub: any HubControl

    /// - Parameters:
    ///   - tokenless: what is asked where nobody needs a token.
    ///   - verifier: as the hub has it; `nil` in development mode.
    public init(
        origins: OriginPolicy, tokenless: TokenlessAccess, verifier: (any TokenVerifier)?, hub: any HubControl
    ) {
        self.origins = origins
        self.tokenless = tokenless
        self.verifier = verifier
        self.hub = hub
    }

    /// As Wire's own refusals tell it.
    private static let retryAfter = Milliseconds.seconds(10)

    /// Adds the paths under which WebSockets are opened.
    public func add(to routes: Routes) {
        for path in ServerConfiguration.standardWebSocketPaths { routes.add(path, [.get: answer]) }
    }

    private func answer(_ request: Request, _ context: APIContext) async throws -> Response {
        do throws(APIError) {
            try await check(request, context)
        } catch {
            // For every page, so that one of a foreign origin learns that it is one. There is nothing in a refusal but
            // our own sentence.
            var refusal = error
            refusal.headers[.accessControlAllowOrigin] = "*"
            refusal.headers[.accessControlExposeHeaders] = "retry-after"
            throw refusal
        }
        throw Self.upgradeRequired
    }

    /// The origin comes first: who may not connect learns nothing of how the hub is.
    private func check(_ request: Request, _ context: APIContext) async throws(APIError) {
        if verifier == nil { try tokenless.checkHost(request) }
        try origins.check(request, isTLS: tokenless.isTLS || context.isTLS)
        switch hub.refusal(ofAddress: context.peer?.ipAddress) {
        case .notAccepting:
            throw APIError(.unavailable, "The hub takes no new clients now.", retryAfter: Self.retryAfter)
        case .full:
            throw APIError(
                .unavailable, "The hub has as many connections as it takes. Try again later.",
                retryAfter: Self.retryAfter)
        case .address:
            throw APIError(
                .rateLimited, "Your address has as many connections as it may have. Close one, or try again later.",
                retryAfter: Self.retryAfter)
        case nil: break
        }
        // A handshake without one isn't refused: it may come with the hello.
        guard let verifier, let token = request.bearerToken else { return }
        do throws(TokenError) {
            _ = try await verifier.verify(token)
        } catch {
            throw APIError(error)
        }
    }

    private static let upgradeRequired = APIError(
        status: .upgradeRequired, code: .badRequest,
        message: "This path is a WebSocket: connect with one, subprotocol \(ServerConfiguration.subprotocol).",
        headers: [.upgrade: "websocket", .connection: "upgrade"])
}

extension OriginPolicy {
    /// Refuses the requests of pages that may not use the hub.
    func check(_ request: Request, isTLS: Bool) throws(APIError) {
        let host = request.head.authority ?? ""
        let origin = Self.origin(of: request, host: host, isTLS: isTLS)
        guard !allows(origin: origin, host: host, isTLS: isTLS) else { return }
        // A page of the hub's own, which the operator has most likely forgotten.
        guard !OriginPolicy.sameOrigin.allows(origin: origin, host: host, isTLS: isTLS) else {
            throw APIError(
                .forbidden,
                "The hub's own pages may not use it: its operator has to add same-origin to `origins`.")
        }
        throw APIError(.forbidden, "Pages of this origin may not use the hub; see `origins`.")
    }

    /// The origin that a handshake of the same page would have. A page that asks its own host with `GET` sends no `Origin`
    /// (Fetch Standard, "append a request Origin header"), but browsers say where it is from (Fetch Metadata, section 2.4).
    private static func origin(of request: Request, host: String, isTLS: Bool) -> String? {
        if let origin = request.headers[.origin] { return origin }
        return request.headers[.secFetchSite] == "same-origin" ? "\(isTLS ? "https" : "http")://\(host)" : nil
    }
}
