/// Turns a token into credentials, or says why not.
///
/// `verify` may suspend (a key set may have to be read first); a shell never waits for it on an event loop.
public protocol TokenVerifier: Sendable {
    func verify(_ token: String) async throws(TokenError) -> Credentials
}
