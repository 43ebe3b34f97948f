internal import GoHubCore
internal import HTTPTypes
internal import Hummingbird

/// Who asks for a file, and what they may do: the same tokens and grants as on a WebSocket, and the moderators' bans.
struct FileAccess: Sendable {
    /// `nil` in development mode: everyone is who they say, in `?user=`, and moderates every plain room.
    let verifier: (any TokenVerifier)?
    /// Who may ask without one.
    let tokenless: TokenlessAccess
    let hub: any HubControl

    private static let guest = "guest"

    func credentials(_ request: Request) async throws -> Credentials {
        guard let verifier else {
            try tokenless.check(request)
            guard let user = UserID(request.query("user") ?? Self.guest) else {
                throw APIError(.badRequest, "`user` must have 1 to \(UserID.bytesMax) bytes, none of them control.")
            }
            return Credentials(user: user, grants: .moderator)
        }
        let parts = (request.headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw Self.unauthorized("Send your token as Authorization: Bearer.", detail: "")
        }
        do throws(TokenError) {
            return try await verifier.verify(String(parts[1]))
        } catch {
            guard error.code != .keysUnavailable else {
                throw APIError(.unavailable, error.message, retryAfter: .seconds(5))
            }
            throw Self.unauthorized(error.message, detail: ", error=\"invalid_token\"")
        }
    }

    /// RFC 6750, section 3.
    private static func unauthorized(_ message: String, detail: String) -> APIError {
        APIError(
            status: .unauthorized, code: .unauthorized, message: message,
            headers: [.wwwAuthenticate: "Bearer realm=\"gohub\"" + detail])
    }

    /// What a user may do with the files of a room now.
    func permissions(of credentials: Credentials, in room: RoomID) async throws -> Permissions {
        guard credentials.tenant == room.tenant else { return [] }
        let granted = credentials.grants.permissions(of: credentials.user, in: room.name)
        guard !granted.isEmpty else { return [] }
        guard let withheld = await hub.withheld(from: credentials.user, in: room) else {
            throw APIError(.unavailable, "The store can't answer; try again.", retryAfter: .seconds(1))
        }
        return granted.subtracting(withheld)
    }
}

extension Request {
    /// A parameter of the query, decoded; `nil` when it isn't there or isn't UTF-8.
    func query(_ name: String) -> String? {
        uri.queryParameters[name[...]].map { String($0) }
    }
}
