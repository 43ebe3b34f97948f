internal import GoHubCore
internal import HTTPTypes
internal import Hummingbird
internal import Logging

/// The paths that aren't a WebSocket, and who answers at each.
final class Routes {
    typealias Handler = @Sendable (Request, APIContext) async throws -> Response

    /// What the methods that a path doesn't take are refused for; others are unknown, as are paths.
    private static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

    let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)

    init(cors: CORS, logger: Logger) {
        router.add(middleware: cors)
        router.add(middleware: ResponseRules(logger: logger))
        router.add(middleware: ExactPaths())
    }

    /// Adds what a path takes; other methods get 405 with `Allow`, and `HEAD` comes with `GET`.
    func add(_ path: String, _ handlers: [HTTPRequest.Method: Handler]) {
        var allowed = Self.methods.filter { handlers[$0] != nil }
        if let get = allowed.firstIndex(of: .get) { allowed.insert(.head, at: get + 1) }
        for method in Self.methods where method != .head || handlers[.get] == nil {
            let handler = handlers[method] ?? { [allowed] _, _ in throw APIError.methodNotAllowed(allowed) }
            router.on(RouterPath(path), method: method, use: handler)
        }
    }
}

/// What the daemon tells about itself, to whoever asks: no secrets.
struct StatusRoutes: Sendable {
    let hub: any HubControl
    let isStoreReady: @Sendable () -> Bool
    let info: Info

    struct Info: Encodable, Sendable {
        struct Limits: Encodable {
            let messageBytes: Int
            let textBytes: Int
            let rooms: Int
            let roomsPerJoin: Int
            let pageMessages: Int
            let commandsInFlight: Int
        }

        let name = "gohub"
        let version = GoHubVersion.current
        let `protocol` = GoHubVersion.wireProtocol
        let node: String
        /// Whether everyone is let in as whoever they say.
        let development: Bool
        let limits: Limits

        init(node: String, development: Bool, limits: GoHubCore.Limits) {
            self.node = node
            self.development = development
            self.limits = Limits(
                messageBytes: limits.messageBytesMax, textBytes: limits.textBytesMax, rooms: limits.roomsPerSessionMax,
                roomsPerJoin: limits.roomsPerJoinMax, pageMessages: limits.pageMessagesMax,
                commandsInFlight: limits.commandsInFlightMax)
        }
    }

    func add(to routes: Routes) {
        routes.add("/healthz", [.get: { _, _ in .json(["status": "alive"]) }])
        routes.add(
            "/readyz",
            [
                .get: { [hub, isStoreReady] _, _ in
                    guard hub.isAccepting else { throw APIError(.unavailable, "The hub takes no new clients now.") }
                    guard isStoreReady() else { throw APIError(.unavailable, "The store is out of reach.") }
                    return .json(["status": "ready"])
                }
            ])
        routes.add("/v1/info", [.get: { [info] _, _ in .json(info) }])
    }
}
