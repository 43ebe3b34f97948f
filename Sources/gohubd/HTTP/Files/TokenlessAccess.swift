internal import GoHubCore
internal import GoHubWire
internal import HTTPTypes
internal import Hummingbird

/// What stands in for a token in development mode: a request is taken from programs of this machine and from the pages
/// that may open a WebSocket, by the same rules as an upgrade.
///
/// CORS doesn't do this: it keeps other pages from reading answers, not from sending what changes something.
struct TokenlessAccess: Sendable {
    let origins: OriginPolicy
    /// Whether clients reach the hub over TLS, for "the hub's own host".
    let isTLS: Bool
    /// Whether the hub listens on loopback, as the daemon does without keys.
    let isLoopback: Bool

    /// - Throws: `APIError` when a page sent the request that may not.
    func check(_ request: Request) throws(APIError) {
        let host = request.head.authority ?? ""
        // A page of any name that was made to resolve to this machine is of the hub's own origin, as far as a browser
        // can tell (DNS rebinding). Its own name stands in Host.
        guard !isLoopback || LoopbackHost.isMeant(byAuthority: host) else {
            throw APIError(.forbidden, "In development mode the hub answers to localhost only.")
        }
        guard origins.allows(origin: request.headers[.origin], host: host, isTLS: isTLS) else {
            throw APIError(.forbidden, "Pages of this origin may not use the hub; see `origins`.")
        }
    }
}
