import GoHubCore

/// Accepts a fixed set of tokens.
struct TestVerifier: TokenVerifier {
    var tokens: [String: Result<Credentials, TokenError>]

    init(_ tokens: [String: Result<Credentials, TokenError>]) {
        self.tokens = tokens
    }

    func verify(_ token: String) async throws(TokenError) -> Credentials {
        guard let result = tokens[token] else { throw TokenError(.badSignature, "The signature doesn't fit.") }
        return try result.get()
    }
}

extension WallTime {
    /// This many milliseconds from now on the machine's clock.
    static func inMs(_ milliseconds: Int64) -> WallTime {
        WallTime(milliseconds: WallTime.now().milliseconds + milliseconds)
    }
}
