/// The identity and the grants of a verified token.
public struct Credentials: Hashable, Sendable {
    public var tenant: TenantID
    public var user: UserID
    /// The display name; the user's id if the token has none. At most 64 characters.
    public var name: String
    public var grants: Grants
    /// The end of the token's validity here: `exp` plus the verifier's leeway; `nil` without `exp`.
    public var expiresAt: WallTime?

    public init(
        tenant: TenantID = .standard, user: UserID, name: String? = nil, grants: Grants = .participant,
        expiresAt: WallTime? = nil
    ) {
        self.tenant = tenant
        self.user = user
        self.name = name ?? user.value
        self.grants = grants
        self.expiresAt = expiresAt
    }

    public var userKey: UserKey { UserKey(tenant: tenant, user: user) }
}
