/// Turns a token into credentials or throws the reason.
///
/// `verify` may suspend, for example to fetch a key set. A shell never waits for it on an event loop.
public protocol TokenVerifier: Sendable {
    /// Verifies a token.
    ///
    /// - Parameter token: the token as received, not checked in any way.
    /// - Returns: the identity and the grants of the token.
    /// - Throws: the reason for the refusal. For `keysUnavailable` the client is asked to retry with the same token.
    func verify(_ token: String) async throws(TokenError) -> Credentials
}
