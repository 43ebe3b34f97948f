public import GoHubCore
internal import HTTPTypes
internal import Hummingbird

/// The identity and permissions of a file request: the same tokens and grants as on a WebSocket, and the moderators'
/// bans.
public struct FileAccess: Sendable {
    /// `nil` in development mode: anyone can use any identity, in `?user=`, and moderates every plain room.
    let verifier: (any TokenVerifier)?
    /// The rule for requests without a token.
    let tokenless: TokenlessAccess
    let hub: any HubControl

    /// - Parameters:
    ///   - verifier: as the hub has it; `nil` in development mode.
    ///   - tokenless: who may ask without a token, in development mode.
    ///   - hub: knows the users' mutes and bans.
    public init(verifier: (any TokenVerifier)?, tokenless: TokenlessAccess, hub: any HubControl) {
        self.verifier = verifier
        self.tokenless = tokenless
        self.hub = hub
    }

    private static let guest = "guest"

    func credentials(_ request: Request) async throws -> Credentials {
        guard let verifier else {
            try tokenless.check(request)
            guard let user = UserID(try request.query("user") ?? Self.guest) else {
                throw APIError(
                    .badRequest, "`user` must have 1 to \(UserID.bytesMax) bytes without control characters.")
            }
            return Credentials(user: user, grants: .moderator)
        }
        guard let token = request.bearerToken else {
            throw APIError.unauthorized("Send your token as Authorization: Bearer.", detail: "")
        }
        do throws(TokenError) {
            return try await verifier.verify(token)
        } catch {
            throw APIError(error)
        }
    }

    /// The user's current permissions for the files of a room.
    func permissions(of credentials: Credentials, in room: RoomID) async throws -> Permissions {
        guard credentials.tenant == room.tenant else { return [] }
        let granted = credentials.grants.permissions(of: credentials.user, in: room.name)
        guard !granted.isEmpty else { return [] }
        guard let revokedPermissions = await hub.revokedPermissions(of: credentials.user, in: room) else {
            throw APIError(.unavailable, "The store is unavailable. Try again shortly.", retryAfter: .seconds(1))
        }
        return granted.subtracting(revokedPermissions)
    }
}
