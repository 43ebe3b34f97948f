#if Tokens

/// A parsed JWT (RFC 7515 section 3.1), not verified yet.
///
/// Only `alg` and `kid` are read from the header, and both merely select among the server's own keys. `jwk`, `jku`,
/// `x5u` and `x5c`, with which a token brings or references its own key, are never read.
struct CompactToken {
    /// The most bytes of a `kid`. Real ones are thumbprints, UUIDs or dates.
    static let keyIDBytesMax = 256

    let algorithm: JWTVerifier.Algorithm
    let keyID: String?
    /// The signed bytes: the first two parts and the dot between them, as received.
    let signingInput: [UInt8]
    let payload: [UInt8]
    let signature: [UInt8]

    /// - Parameter bytesMax: checked before anything is parsed.
    init(parsing token: String, bytesMax: Int) throws(TokenError) {
        guard !token.isEmpty else {
            throw TokenError(.missing, "The token is missing. Send one that your sign-in service issued.")
        }
        guard token.utf8.count <= bytesMax else {
            throw TokenError(.malformed, "The token is longer than \(bytesMax) bytes, the server's limit.")
        }
        let bytes = Array(token.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw TokenError(.malformed, "The token is not a signed JWT: it does not have three parts.")
        }
        guard let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2])
        else {
            throw TokenError(.malformed, "A part of the token is not base64url without padding.")
        }
        (algorithm, keyID) = try Self.readHeader(header)
        guard !signature.isEmpty else {
            throw TokenError(.badSignature, "The token is not signed.")
        }
        signingInput = Array(bytes[..<parts[1].endIndex])
        self.payload = payload
        self.signature = signature
    }

    private static func readHeader(_ bytes: [UInt8]) throws(TokenError) -> (JWTVerifier.Algorithm, keyID: String?) {
        let json: TokenJSON
        do {
            json = try TokenJSON(parsing: bytes)
        } catch {
            throw TokenError(.malformed, "The token's header cannot be read: \(error.reason).", underlying: error)
        }
        guard let header = json.object, let name = header["alg"]?.string else {
            throw TokenError(.malformed, "The token's header names no algorithm.")
        }
        // RFC 7515 section 4.1.11: a token with an unknown critical extension must be refused, and none is supported.
        guard header["crit"] == nil else {
            throw TokenError(.malformed, "The token's header has `crit`: no header extension is supported.")
        }
        guard isExpectedType(header["typ"]) else {
            throw TokenError(.malformed, "The token is not an access token, according to its `typ`.")
        }
        guard let algorithm = JWTVerifier.Algorithm(rawValue: name) else {
            throw TokenError(.unsupportedAlgorithm, "This server does not accept the token's algorithm.")
        }
        guard let keyID = header["kid"] else { return (algorithm, nil) }
        guard let keyID = keyID.string, keyID.utf8.count <= keyIDBytesMax else {
            throw TokenError(.malformed, "The token's `kid` is not a string of at most \(keyIDBytesMax) bytes.")
        }
        return (algorithm, keyID)
    }

    /// Explicit typing (RFC 8725 section 3.11): rejects a logout token or a DPoP proof of the same issuer.
    private static func isExpectedType(_ type: TokenJSON?) -> Bool {
        guard let type else { return true }
        switch type.string?.lowercased() {
        case "jwt", "at+jwt", "application/jwt", "application/at+jwt": return true
        default: return false
        }
    }
}

#endif
