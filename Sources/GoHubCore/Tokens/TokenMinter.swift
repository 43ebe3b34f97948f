#if Tokens

import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Creates HMAC-signed tokens for development and tests. In production the application's sign-in service issues tokens.
public struct TokenMinter: Sendable {
    private let secret: SymmetricKey
    private let header: String
    private let issuer: String?
    private let audience: String?

    /// - Parameters:
    ///   - secret: the verifier's secret; at least 32 bytes.
    ///   - keyID: the `kid` of the header.
    /// - Throws: `JWTConfigurationError` for a secret that is too short.
    public init(
        secret: [UInt8], keyID: String? = nil, issuer: String? = nil, audience: String? = nil
    ) throws(JWTConfigurationError) {
        // Whatever can't verify must not sign either: the same checks apply.
        _ = try VerificationKey.hmac(secret: secret, algorithm: .hs256, label: .init(id: keyID))
        self.secret = SymmetricKey(data: secret)
        self.issuer = issuer
        self.audience = audience
        var header: [(String, TokenJSON)] = [("alg", .string("HS256")), ("typ", .string("JWT"))]
        if let keyID { header.append(("kid", .string(keyID))) }
        self.header = Self.object(header)
    }

    /// - Parameters:
    ///   - grants: the `rooms` claim; `nil` leaves it to the server's default policy.
    ///   - expiresAt: the `exp` claim, rounded down to a second; `nil` makes a token that never expires.
    public func mint(
        user: UserID, tenant: TenantID? = nil, name: String? = nil, grants: Grants? = nil, expiresAt: WallTime?
    ) -> String {
        var claims: [(String, TokenJSON)] = [("sub", .string(user.value))]
        if let issuer { claims.append(("iss", .string(issuer))) }
        if let audience { claims.append(("aud", .string(audience))) }
        if let tenant { claims.append(("tenant", .string(tenant.value))) }
        if let name { claims.append(("name", .string(name))) }
        if let expiresAt { claims.append(("exp", .number(Double(expiresAt.milliseconds / 1000)))) }
        if let grants { claims.append(("rooms", .array(grants.entries.map(Self.claim)))) }
        let signingInput = "\(Base64URL.encode(header.utf8)).\(Base64URL.encode(Self.object(claims).utf8))"
        let signature = HMAC<SHA256>.authenticationCode(for: Array(signingInput.utf8), using: secret)
        return "\(signingInput).\(Base64URL.encode(signature))"
    }

    private static func claim(_ entry: Grants.Entry) -> TokenJSON {
        let can = Permissions.claimNames.filter { entry.can.contains($0.value) }.keys.sorted()
        return .object(["match": .string(entry.match.description), "can": .array(can.map(TokenJSON.string))])
    }

    // MARK: JSON

    private static func object(_ members: [(String, TokenJSON)]) -> String {
        "{" + members.map { "\(quoted($0)):\(text($1))" }.joined(separator: ",") + "}"
    }

    private static func text(_ json: TokenJSON) -> String {
        switch json {
        case .null: "null"
        case .bool(let bool): bool ? "true" : "false"
        // Only dates are written: whole seconds, exact in a `Double`.
        case .number(let number): "\(Int64(exactly: number) ?? 0)"
        case .string(let string): quoted(string)
        case .array(let elements): "[" + elements.map(text).joined(separator: ",") + "]"
        case .object(let members): object(members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }
    }

    private static func quoted(_ string: String) -> String {
        var quoted = "\""
        for scalar in string.unicodeScalars {
            switch scalar.value {
            case 0x22: quoted += "\\\""
            case 0x5C: quoted += "\\\\"
            case 0..<0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

#endif
