/// Turns a token into credentials or throws the reason.
///
/// `verify` may suspend, for example to fetch a key set. A shell never waits for it on an event loop.
public protocol TokenVerifier: Sendable {
    func verify(_ token: String) async throws(TokenError) -> Credentials
}
