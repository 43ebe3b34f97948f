/// The identity and the grants of a verified token.
public struct Credentials: Hashable, Sendable {
    public var tenant: TenantID
    public var user: UserID
    /// The name that others see. From a `JWTVerifier`, at most 64 characters and 256 bytes of UTF-8.
    public var name: String
    /// The permissions in plain rooms. In a direct conversation its two users always read and write.
    public var grants: Grants
    /// The end of the token's validity here: `exp` plus the verifier's leeway; `nil` without `exp`.
    public var expiresAt: WallTime?

    /// - Parameters:
    ///   - tenant: the user's tenant; `default` unless given.
    ///   - user: the user's id.
    ///   - name: the name that others see; the user's id unless given. Not checked here.
    ///   - grants: the permissions in plain rooms: reading and writing everywhere unless given.
    ///   - expiresAt: the time at which the session is closed with 4003; `nil` for never.
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
