public import GoHubCore
public import GoHubWire
internal import HTTPTypes
internal import Hummingbird

/// Reports over HTTP the answer to a WebSocket handshake at the same path.
///
/// A browser hides a refused handshake from its page. So a page sends a plain request here and gets the handshake's
/// status; 426 if a WebSocket would be accepted. Requests here are no WebSocket handshakes, because Wire handles those.
public struct HandshakeProbe: Sendable {
    let origins: OriginPolicy
    /// The check when no tokens are needed.
    let tokenless: TokenlessAccess
    /// `nil` in development mode.
    let verifier: (any TokenVerifier)?
    let hub: any HubControl

    /// - Parameters:
    ///   - origins: the pages that may open a WebSocket.
    ///   - tokenless: the check when no tokens are needed.
    ///   - verifier: the hub's own; `nil` in development mode.
    ///   - hub: knows whether it accepts another connection.
    public init(
        origins: OriginPolicy, tokenless: TokenlessAccess, verifier: (any TokenVerifier)?, hub: any HubControl
    ) {
        self.origins = origins
        self.tokenless = tokenless
        self.verifier = verifier
        self.hub = hub
    }

    /// The same value as in Wire's refusals.
    private static let retryAfter = Milliseconds.seconds(10)

    /// Adds the paths under which WebSockets are opened.
    public func add(to routes: Routes) {
        for path in ServerConfiguration.standardWebSocketPaths { routes.add(path, [.get: answer]) }
    }

    private func answer(_ request: Request, _ context: APIContext) async throws -> Response {
        do throws(APIError) {
            try await check(request, context)
        } catch {
            // Readable by every page, so that a page of a foreign origin gets the reason. A refusal contains only our
            // own sentence.
            var refusal = error
            refusal.headers[.accessControlAllowOrigin] = "*"
            refusal.headers[.accessControlExposeHeaders] = "retry-after"
            throw refusal
        }
        throw Self.upgradeRequired
    }

    /// The origin comes first: a page that may not connect learns nothing of the hub's state.
    private func check(_ request: Request, _ context: APIContext) async throws(APIError) {
        if verifier == nil { try tokenless.checkHost(request) }
        try origins.check(request, isTLS: tokenless.isTLS || context.isTLS)
        switch hub.refusal(ofAddress: context.peer?.ipAddress) {
        case .notAccepting:
            throw APIError(
                .unavailable, "The hub is not accepting new clients now. Try again later.", retryAfter: Self.retryAfter)
        case .full:
            throw APIError(
                .unavailable, "The hub has reached its connection limit. Try again later.",
                retryAfter: Self.retryAfter)
        case .address:
            throw APIError(
                .rateLimited, "Your address has reached its connection limit. Close a connection, or try again later.",
                retryAfter: Self.retryAfter)
        case nil: break
        }
        // A handshake without a token isn't refused: it may come with the hello.
        guard let verifier, let token = request.bearerToken else { return }
        do throws(TokenError) {
            _ = try await verifier.verify(token)
        } catch {
            throw APIError(error)
        }
    }

    private static let upgradeRequired = APIError(
        status: .upgradeRequired, code: .badRequest,
        message: "This path is a WebSocket endpoint. Connect with the subprotocol \(ServerConfiguration.subprotocol).",
        headers: [.upgrade: "websocket", .connection: "upgrade"])
}

extension OriginPolicy {
    /// Refuses requests of pages that may not use the hub.
    func check(_ request: Request, isTLS: Bool) throws(APIError) {
        let host = request.head.authority ?? ""
        let origin = Self.origin(of: request, host: host, isTLS: isTLS)
        guard !allows(origin: origin, host: host, isTLS: isTLS) else { return }
        // A page of the hub's own host, which the operator has probably forgotten to allow.
        guard !OriginPolicy.sameOrigin.allows(origin: origin, host: host, isTLS: isTLS) else {
            throw APIError(
                .forbidden,
                "The hub's own web client is not allowed to use it. The operator can add same-origin to `origins`.")
        }
        throw APIError(
            .forbidden,
            "Pages of this origin are not allowed to use the hub. The operator can add the origin to `origins`.")
    }

    /// The origin that a handshake of the same page would have. A page that requests its own host with `GET` sends no
    /// `Origin` (Fetch Standard, "append a request Origin header"), but browsers state the relation (Fetch Metadata,
    /// section 2.4).
    private static func origin(of request: Request, host: String, isTLS: Bool) -> String? {
        if let origin = request.headers[.origin] { return origin }
        return request.headers[.secFetchSite] == "same-origin" ? "\(isTLS ? "https" : "http")://\(host)" : nil
    }
}
