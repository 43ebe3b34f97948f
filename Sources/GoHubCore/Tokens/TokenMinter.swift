#if Tokens

import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Creates HMAC-signed tokens for development and tests. In production the application's sign-in service issues tokens.
package struct TokenMinter: Sendable {
    private let secret: SymmetricKey
    /// In base64url.
    private let header: String
    private let issuer: String?
    private let audience: String?

    /// - Parameters:
    ///   - secret: the verifier's secret; at least 32 bytes.
    ///   - keyID: the `kid` of the header.
    ///   - issuer: the `iss` claim.
    ///   - audience: the `aud` claim.
    /// - Throws: `JWTVerifier.ConfigurationError` for a secret that is too short.
    package init(
        secret: [UInt8], keyID: String? = nil, issuer: String? = nil, audience: String? = nil
    ) throws(JWTVerifier.ConfigurationError) {
        // The same checks as for verifying apply to signing.
        _ = try VerificationKey.hmac(secret: secret, algorithm: .hs256, label: .init(id: keyID))
        self.secret = SymmetricKey(data: secret)
        self.issuer = issuer
        self.audience = audience
        var writer = JSONWriter()
        writer.object { header in
            header.field("alg", "HS256")
            header.field("typ", "JWT")
            header.field("kid", keyID)
        }
        header = Base64URL.encode(writer.bytes)
    }

    /// - Parameters:
    ///   - user: the `sub` claim.
    ///   - tenant: the `tenant` claim; without it the standard tenant.
    ///   - name: the `name` claim, for display.
    ///   - grants: the `rooms` claim; `nil` leaves it to the server's default policy.
    ///   - expiresAt: the `exp` claim, rounded down to a second; `nil` makes a token that never expires.
    package func mint(
        user: UserID, tenant: TenantID? = nil, name: String? = nil, grants: Grants? = nil, expiresAt: WallTime?
    ) -> String {
        var writer = JSONWriter()
        writer.object { claims in
            claims.field("sub", user.value)
            claims.field("iss", issuer)
            claims.field("aud", audience)
            claims.field("tenant", tenant?.value)
            claims.field("name", name)
            if let expiresAt { claims.field("exp", expiresAt.milliseconds / 1000) }
            if let grants {
                claims.key("rooms")
                claims.array(grants.entries) { $0.write($1) }
            }
        }
        let signingInput = "\(header).\(Base64URL.encode(writer.bytes))"
        let signature = HMAC<SHA256>.authenticationCode(for: Array(signingInput.utf8), using: secret)
        return "\(signingInput).\(Base64URL.encode(signature))"
    }
}

extension JSONWriter {
    /// An entry of the `rooms` claim.
    fileprivate mutating func write(_ entry: Grants.Entry) {
        object { claim in
            claim.field("match", entry.match.description)
            claim.key("can")
            let names = Permissions.claimNames.filter { entry.can.contains($0.value) }.keys.sorted()
            claim.array(names) { $0.string($1) }
        }
    }
}

#endif
