public import GoHubCore
internal import GoHubWire
internal import Hummingbird

/// The status of the hub, open to everyone: no secrets.
///
/// - `GET /healthz`: 200 while the process answers.
/// - `GET /readyz`: 200 while new clients are accepted and the store answers, 503 otherwise.
/// - `GET /v1/info`: `Info` as JSON.
public struct StatusRoutes: Sendable {
    let hub: any HubControl
    let isStoreReady: @Sendable () -> Bool
    let info: Info

    /// - Parameters:
    ///   - hub: the hub that accepts new clients or not.
    ///   - isStoreReady: whether messages can be stored and read now; called for each `/readyz`.
    ///   - info: the body of `/v1/info`.
    public init(hub: any HubControl, isStoreReady: @escaping @Sendable () -> Bool, info: Info) {
        self.hub = hub
        self.isStoreReady = isStoreReady
        self.info = info
    }

    /// A hub's public properties.
    public struct Info: Encodable, Sendable {
        struct Limits: Encodable {
            let messageBytes: Int
            let textBytes: Int
            let rooms: Int
            let roomsPerJoin: Int
            let pageMessages: Int
            let commandsInFlight: Int
        }

        let name = "gohub"
        let version: String
        let `protocol` = ServerConfiguration.subprotocol
        let node: String
        /// Whether anyone can use any identity.
        let development: Bool
        let limits: Limits

        /// - Parameters:
        ///   - version: the program's version.
        ///   - node: the name of the hub.
        ///   - development: whether anyone can use any identity.
        ///   - limits: the hub's own, of which a client gets those that it must know.
        public init(version: String, node: String, development: Bool, limits: GoHubCore.Limits) {
            self.version = version
            self.node = node
            self.development = development
            self.limits = Limits(
                messageBytes: limits.messageBytesMax, textBytes: limits.textBytesMax, rooms: limits.roomsPerSessionMax,
                roomsPerJoin: limits.roomsPerJoinMax, pageMessages: limits.pageMessagesMax,
                commandsInFlight: limits.commandsInFlightMax)
        }
    }

    /// Adds the paths of the hub's status.
    public func add(to routes: Routes) {
        routes.add("/healthz", [.get: { _, _ in .json(["status": "alive"]) }])
        routes.add(
            "/readyz",
            [
                .get: { [hub, isStoreReady] _, _ in
                    guard hub.isAccepting else {
                        throw APIError(.unavailable, "The hub is not accepting new clients now. Try again later.")
                    }
                    guard isStoreReady() else { throw APIError(.unavailable, "The store is unavailable.") }
                    return .json(["status": "ready"])
                }
            ])
        routes.add("/v1/info", [.get: { [info] _, _ in .json(info) }])
    }
}
