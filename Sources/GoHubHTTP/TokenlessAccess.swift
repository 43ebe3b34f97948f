internal import GoHubCore
public import GoHubWire
internal import HTTPTypes
internal import Hummingbird

/// The rule that replaces tokens in development mode: a request is accepted from programs on this machine and from
/// pages that may open a WebSocket, by the same rules as an upgrade.
///
/// CORS isn't sufficient: it prevents other pages from reading responses, not from sending requests that change
/// something.
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

    /// - Throws: `APIError` for a page that isn't allowed.
    func check(_ request: Request) throws(APIError) {
        try checkHost(request)
        try origins.check(request, isTLS: isTLS)
    }

    /// For a browser, a page under any name that resolves to this machine is of the hub's own origin (DNS rebinding).
    /// Its own name is in Host.
    func checkHost(_ request: Request) throws(APIError) {
        guard !isLoopback || LoopbackHost.isMeant(byAuthority: request.head.authority ?? "") else {
            throw APIError(.forbidden, "In development mode the hub accepts only requests to localhost.")
        }
    }
}
