internal import GoHubCore
public import GoHubWire
internal import HTTPTypes
internal import Hummingbird

/// What stands in for a token in development mode: a request is taken from programs of this machine and from the pages
/// that may open a WebSocket, by the same rules as an upgrade.
///
/// CORS doesn't do this: it keeps other pages from reading answers, not from sending what changes something.
public struct TokenlessAccess: Sendable {
    let origins: OriginPolicy
    /// Whether clients reach the hub over TLS, for "the hub's own host".
    let isTLS: Bool
    /// Whether the hub listens on loopback, as the daemon does without keys.
    let isLoopback: Bool

    /// - Parameters:
    ///   - origins: the pages that may open a WebSocket.
    ///   - isTLS: whether clients reach the hub over TLS.
    ///   - isLoopback: whether the hub listens on loopback.
    public init(origins: OriginPolicy, isTLS: Bool, isLoopback: Bool) {
        self.origins = origins
        self.isTLS = isTLS
        self.isLoopback = isLoopback
    }

    /// - Throws: `APIError` when a page sent the request that may not.
    func check(_ request: Request) throws(APIError) {
        try checkHost(request)
        try origins.check(request, isTLS: isTLS)
    }

    /// A page of any name that was made to resolve to this machine is of the hub's own origin, as far as a browser can
    /// tell (DNS rebinding). Its own name stands in Host.
    func checkHost(_ request: Request) throws(APIError) {
        guard !isLoopback || LoopbackHost.isMeant(byAuthority: request.head.authority ?? "") else {
            throw APIError(.forbidden, "In development mode the hub answers to localhost only.")
        }
    }
}
