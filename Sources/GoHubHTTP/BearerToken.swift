internal import GoHubCore
internal import HTTPTypes
internal import Hummingbird

extension Request {
    /// The token of `Authorization: Bearer` (RFC 6750, section 2.1), not verified yet.
    var bearerToken: String? {
        let parts = (headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}

extension APIError {
    /// An error for a refused token.
    init(_ error: TokenError) {
        self =
            error.code == .keysUnavailable
            ? APIError(.unavailable, error.message, retryAfter: .seconds(5))
            : .unauthorized(error.message, detail: ", error=\"invalid_token\"")
    }

    /// A response according to RFC 6750, section 3.
    ///
    /// - Parameter detail: the part of the challenge after the realm.
    static func unauthorized(_ message: String, detail: String) -> APIError {
        APIError(
            status: .unauthorized, code: .unauthorized, message: message,
            headers: [.wwwAuthenticate: "Bearer realm=\"gohub\"" + detail])
    }
}
