#if Tokens

/// Reads the claims of a verified payload: identity, validity and grants (RFC 7519 section 4.1).
struct TokenClaims {
    /// The maximum number of characters of a display name, and of bytes of UTF-8.
    static let nameCharactersMax = 64
    static let nameBytesMax = 256

    private let claims: [String: TokenJSON]

    init(parsing payload: [UInt8]) throws(TokenError) {
        let json: TokenJSON
        do {
            json = try TokenJSON(parsing: payload)
        } catch {
            throw TokenError(.malformed, "The token's claims cannot be read: \(error.reason).", underlying: error)
        }
        guard let claims = json.object else {
            throw TokenError(.malformed, "The token's claims are not a JSON object.")
        }
        self.claims = claims
    }

    /// Checks the registered claims and turns the others into credentials.
    ///
    /// - Parameter keyIssuer: the issuer that the token's key is bound to. It takes precedence over the configured one.
    func credentials(
        keyIssuer: String?, configuration: JWTVerifier.Configuration, now: WallTime
    ) throws(TokenError) -> Credentials {
        try checkIssuer(keyIssuer ?? configuration.issuer)
        try checkAudience(configuration.audience)
        let expiresAt = try checkTimes(configuration, now: now)
        let user = try user()
        return Credentials(
            tenant: try tenant(), user: user, name: try name() ?? String(user.value.prefix(Self.nameCharactersMax)),
            grants: try grants() ?? configuration.defaultGrants, expiresAt: expiresAt)
    }

    // MARK: Issuer and audience

    private func checkIssuer(_ expected: String?) throws(TokenError) {
        guard let expected else { return }
        guard let issuer = claims["iss"]?.string, issuer.utf8.elementsEqual(expected.utf8) else {
            throw TokenError(.wrongIssuer, "The token's issuer is not trusted by this server.")
        }
    }

    private func checkAudience(_ expected: String?) throws(TokenError) {
        guard let expected else { return }
        let audience = claims["aud"].map { $0.array ?? [$0] } ?? []
        guard audience.contains(where: { $0.string.map { $0.utf8.elementsEqual(expected.utf8) } ?? false }) else {
            throw TokenError(.wrongAudience, "The token was not issued for this server.")
        }
    }

    // MARK: Times

    /// - Returns: the end of the token's validity including the leeway, so that a session never starts expired.
    private func checkTimes(_ configuration: JWTVerifier.Configuration, now: WallTime) throws(TokenError) -> WallTime? {
        // At most 300 s, see `JWTVerifier.Configuration`, and dates are bounded below, so the sums can't overflow.
        let leeway = Int64(configuration.leewaySeconds) * 1000
        if let notBefore = try date("nbf"), notBefore.milliseconds - leeway > now.milliseconds {
            throw TokenError(.notYetValid, "The token is not valid yet. Check the clocks of the issuer and the server.")
        }
        guard let expiry = try date("exp") else {
            guard !configuration.requireExpiry else {
                throw TokenError(.invalidClaim, "The token has no `exp`, but this server requires one.")
            }
            return nil
        }
        let end = WallTime(milliseconds: expiry.milliseconds + leeway)
        guard now < end else {
            throw TokenError(.expired, "The token has expired. Get a new one.")
        }
        return end
    }

    /// A NumericDate: seconds since 1970, with or without a fraction. Accepted up to the year 9999.
    private func date(_ name: String) throws(TokenError) -> WallTime? {
        guard let claim = claims[name] else { return nil }
        guard let seconds = claim.number, (0...253_402_300_799).contains(seconds) else {
            throw TokenError(.invalidClaim, "The token's `\(name)` is not a date in seconds since 1970.")
        }
        return WallTime(milliseconds: Int64(seconds * 1000))
    }

    // MARK: Identity

    private func user() throws(TokenError) -> UserID {
        guard let user = claims["sub"]?.string.flatMap(UserID.init) else {
            throw TokenError(.invalidClaim, "The token's `sub` is not a user id of 1–128 printable bytes.")
        }
        return user
    }

    private func tenant() throws(TokenError) -> TenantID {
        guard let claim = claims["tenant"] else { return .standard }
        guard let tenant = claim.string.flatMap(TenantID.init) else {
            throw TokenError(.invalidClaim, "The token's `tenant` is not a tenant id.")
        }
        return tenant
    }

    /// `nil` without the claim, or with a blank one.
    private func name() throws(TokenError) -> String? {
        guard let claim = claims["name"] else { return nil }
        let invalid = TokenError(
            .invalidClaim, "The token's `name` is not at most \(Self.nameCharactersMax) printable characters.")
        guard let text = claim.string else { throw invalid }
        let start = text.drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return nil }
        let name = String(start[...last])
        // A character can have any number of combining marks, so the bytes are bounded, too.
        guard name.utf8.count <= Self.nameBytesMax, name.count <= Self.nameCharactersMax, name.isPrintable else {
            throw invalid
        }
        return name
    }

    // MARK: Grants

    /// `nil` without the claim. An empty list is a claim: it grants nothing.
    private func grants() throws(TokenError) -> Grants? {
        guard let claim = claims["rooms"] else { return nil }
        guard let list = claim.array, list.count <= Grants.entriesMax else {
            throw TokenError(.invalidClaim, "The token's `rooms` is not a list of at most \(Grants.entriesMax) grants.")
        }
        var entries: [Grants.Entry] = []
        for element in list {
            guard let entry = Self.grant(element) else {
                throw TokenError(
                    .invalidClaim,
                    "A grant in the token's `rooms` is not a room pattern as `match` and a list of `read`, `write` "
                        + "and `moderate` as `can`.")
            }
            entries.append(entry)
        }
        return Grants(entries)
    }

    private static func grant(_ json: TokenJSON) -> Grants.Entry? {
        // An unknown member may be meant as a restriction, so it isn't ignored.
        guard let grant = json.object, grant.keys.allSatisfy({ $0 == "match" || $0 == "can" }),
            let match = grant["match"]?.string.flatMap(Grants.Pattern.init), let names = grant["can"]?.array
        else { return nil }
        var can: Permissions = []
        for name in names {
            guard let permission = name.string.flatMap({ Permissions.claimNames[$0] }) else { return nil }
            can.formUnion(permission)
        }
        return Grants.Entry(match: match, can: can)
    }
}

extension Permissions {
    /// The names of permissions in a token.
    static let claimNames: [String: Permissions] = ["read": .read, "write": .write, "moderate": .moderate]
}

#endif
