/// Who a verified token speaks for, and what it allows.
public struct Credentials: Hashable, Sendable {
    public var tenant: TenantID
    public var user: UserID
    /// The name shown to others; the user's id where the token has none. At most 64 characters.
    public var name: String
    public var grants: Grants
    /// When the token stops to be valid here, which is `exp` and the verifier's leeway; `nil` for one without `exp`.
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
