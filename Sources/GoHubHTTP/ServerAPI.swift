public import GoHubCore
internal import GoHubHTTPSyntax
internal import HTTPTypes
internal import Hummingbird
public import Logging

/// The API for an application's own servers, under `/v1/api/` and with a separate key.
///
/// - `POST /v1/api/rooms/{room}/messages` with `{text, from?, name?, id?}`: sends a message.
/// - `DELETE /v1/api/rooms/{room}/messages/{offset}` with `?from=` and `?id=`: deletes a message.
/// - `GET /v1/api/rooms`: the rooms with members.
/// - `GET /v1/api/rooms/{room}/members`: the members of a room.
/// - `DELETE /v1/api/rooms/{room}/members/{user}` with `?from=`: kicks a user.
/// - `GET /v1/api/rooms/{room}/sanctions`: the users who are muted or banned in a room.
/// - `PUT /v1/api/rooms/{room}/sanctions/{user}` with `{kind, minutes?, from?}`: mutes or bans a user.
/// - `DELETE /v1/api/rooms/{room}/sanctions/{user}` with `?from=`: pardons a user.
/// - `POST` or `DELETE /v1/api/users/{user}/sessions`: closes a user's sessions.
///
/// Each takes `?tenant=`. Path components are percent-encoded; in a query `+` is a space, too.
public struct ServerAPI: Sendable {
    /// Bytes of the largest body; the text in it is bounded by the limits.
    public static let bodyBytesMax = 64 * 1024
    /// The sender of a message that names none.
    public static let standardSender = "server"

    let hub: any HubControl
    /// `nil` turns the API off.
    let key: APIKey?
    let limits: Limits
    let logger: Logger

    /// - Parameters:
    ///   - hub: the hub that the requests control.
    ///   - key: the key that the application's servers send; `nil` turns the API off: each request is refused with 403.
    ///   - limits: the hub's own, which bound a message.
    ///   - logger: receives a line for each request that changes something.
    public init(hub: any HubControl, key: APIKey?, limits: Limits, logger: Logger) {
        self.hub = hub
        self.key = key
        self.limits = limits
        self.logger = logger
    }

    /// Adds the paths under which the application's servers reach the hub.
    public func add(to routes: Routes) {
        add("/v1/api/rooms", [.get: rooms], to: routes)
        add("/v1/api/rooms/:room/members", [.get: members], to: routes)
        add("/v1/api/rooms/:room/members/:user", [.delete: kick], to: routes)
        add("/v1/api/rooms/:room/sanctions", [.get: sanctions], to: routes)
        add("/v1/api/rooms/:room/sanctions/:user", [.put: impose, .delete: pardon], to: routes)
        add("/v1/api/rooms/:room/messages", [.post: publish], to: routes)
        add("/v1/api/rooms/:room/messages/:offset", [.delete: delete], to: routes)
        add("/v1/api/users/:user/sessions", [.post: disconnect, .delete: disconnect], to: routes)
    }

    private func add(_ path: String, _ handlers: [HTTPRequest.Method: Routes.Handler], to routes: Routes) {
        routes.add(
            path,
            handlers.mapValues { handler in
                { request, context in
                    try authorize(request)
                    return try await handler(request, context)
                }
            })
    }

    private func authorize(_ request: Request) throws {
        guard let key else {
            throw APIError(.forbidden, "The server API is off. The operator can enable it with api.key or api.keyFile.")
        }
        let field = request.headers[.authorization] ?? ""
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer", key.matches(parts[1]) else {
            var error = APIError(.unauthorized, "Send the server API's key as Authorization: Bearer.")
            error.headers = [.wwwAuthenticate: "Bearer realm=\"gohub server API\""]
            throw error
        }
    }

    // MARK: Messages

    private struct NewMessage: Decodable {
        var text: String
        var from: String?
        var name: String?
        var id: String?
    }

    private struct Published: Encodable {
        let offset: UInt64?
        let epoch: String?
        let at: Int64
        let duplicate: Bool
    }

    private func publish(_ request: Request, _ context: APIContext) async throws -> Response {
        let room = try room(request, context)
        let message = try await request.json(NewMessage.self, bytesMax: Self.bodyBytesMax)
        guard !message.text.isEmpty else { throw APIError(.badRequest, "Field \"text\" is empty.") }
        guard !message.text.utf8.contains(0) else {
            throw APIError(.badRequest, "Field \"text\" must not contain U+0000.")
        }
        guard message.text.utf8.count <= limits.textBytesMax else {
            throw APIError(.tooLarge, "The text is longer than \(limits.textBytesMax) bytes.")
        }
        let user = try sender(message.from)
        guard message.name.map({ $0.count <= 64 && UserID($0) != nil }) ?? true else {
            throw APIError(.badRequest, "Field \"name\" must have 1 to 64 characters without control characters.")
        }
        let sender = Member(user: user, name: message.name)
        return try place(await hub.publish(message.text, to: room, from: sender, id: try id(message.id)))
    }

    private func delete(_ request: Request, _ context: APIContext) async throws -> Response {
        let room = try room(request, context)
        guard let offset = parameter("offset", context).flatMap({ Offset($0) }) else {
            throw APIError(.badRequest, "The offset in the path must be a whole number.")
        }
        let moderator = Member(user: try sender(try request.query("from")))
        let event = await hub.delete(offset, in: room, by: moderator, id: try id(try request.query("id")))
        let response = try place(event)
        context.labelling(logger).info(
            "server API: message deleted",
            metadata: ["tenant": "\(room.tenant)", "room": "\(room.name)", "offset": "\(offset)"])
        return response
    }

    private func sender(_ name: String?) throws -> UserID {
        guard let user = UserID(name ?? Self.standardSender) else {
            throw APIError(
                .badRequest, "Field \"from\" must have 1 to \(UserID.bytesMax) bytes without control characters.")
        }
        return user
    }

    private func id(_ id: String?) throws -> CommandID {
        guard let id = CommandID(id ?? Self.freshID()) else {
            throw APIError(.badRequest, "Field \"id\" must have 1 to 64 bytes without control characters.")
        }
        return id
    }

    /// The response with the position of the stored entry.
    private func place(_ event: Event) throws -> Response {
        switch event {
        case .ack(let ack):
            return .json(
                Published(
                    offset: ack.position?.offset, epoch: ack.position?.epoch.value, at: ack.at.milliseconds,
                    duplicate: ack.isDuplicate))
        case .error(_, let code, let message, let retryAfter):
            throw APIError(code, message, retryAfter: retryAfter)
        default: throw APIError(.internal, "The hub did not answer. Try again shortly.")
        }
    }

    /// A practically unique id for a message whose sender provides none.
    private static func freshID() -> String {
        "api-" + String(UInt64.random(in: .min ... .max), radix: 36)
            + String(UInt64.random(in: .min ... .max), radix: 36)
    }

    // MARK: Rooms and users

    private struct RoomList: Encodable {
        struct Room: Encodable {
            let room: String
            let users: Int
            let sessions: Int
        }

        let rooms: [Room]
        let partial: Bool?
    }

    private func rooms(_ request: Request, _ context: APIContext) async throws -> Response {
        let rooms = await hub.rooms(of: try tenant(request))
        return .json(
            RoomList(
                rooms: rooms.map { RoomList.Room(room: $0.room.value, users: $0.users, sessions: $0.sessions) },
                partial: partial))
    }

    private struct MemberList: Encodable {
        struct Member: Encodable {
            let user: String
            let name: String
        }

        let room: String
        let members: [Member]
        let count: Int
        let partial: Bool?
    }

    private struct Closed: Encodable {
        let closed: Int
        let partial: Bool?
    }

    /// `true` when the answer is this hub's, and others on the database may have more; otherwise there is no such
    /// field.
    private var partial: Bool? { hub.hasPeers ? true : nil }

    private func members(_ request: Request, _ context: APIContext) async throws -> Response {
        let room = try room(request, context)
        let members = await hub.members(of: room)
        return .json(
            MemberList(
                room: room.name.value,
                members: members.listed.map { MemberList.Member(user: $0.user.value, name: $0.name) },
                count: members.count, partial: members.isPartial ? true : nil))
    }

    private func disconnect(_ request: Request, _ context: APIContext) async throws -> Response {
        let tenant = try tenant(request)
        let user = try user(context)
        let closed = await hub.disconnect(UserKey(tenant: tenant, user: user))
        context.labelling(logger).info(
            "server API: sessions of a user closed",
            metadata: ["tenant": "\(tenant)", "user": "\(user)", "closed": "\(closed)"])
        return .json(Closed(closed: closed, partial: partial))
    }

    // MARK: Moderation

    private struct SanctionList: Encodable {
        struct Sanction: Encodable {
            let user: String
            let kind: String
            let secondsLeft: UInt64
        }

        let room: String
        let sanctions: [Sanction]
    }

    private func sanctions(_ request: Request, _ context: APIContext) async throws -> Response {
        let room = try room(request, context)
        guard let sanctions = await hub.sanctions(of: room) else {
            throw APIError(.unavailable, "The store is unavailable. Try again shortly.", retryAfter: .seconds(1))
        }
        return .json(
            SanctionList(
                room: room.name.value,
                sanctions: sanctions.map {
                    SanctionList.Sanction(
                        user: $0.user.value, kind: $0.isBan ? "ban" : "mute", secondsLeft: ($0.left.value + 999) / 1000)
                }))
    }

    private struct NewSanction: Decodable {
        var kind: String
        var minutes: UInt64?
        var from: String?
    }

    /// The default, as for the slash commands.
    private static let standardMinutes: UInt64 = 10

    private func impose(_ request: Request, _ context: APIContext) async throws -> Response {
        let (room, user) = (try room(request, context), try user(context))
        let wanted = try await request.json(NewSanction.self, bytesMax: Self.bodyBytesMax)
        let minutes = wanted.minutes ?? Self.standardMinutes
        guard minutes >= 1 else { throw APIError(.badRequest, "Field \"minutes\" must be 1 or more.") }
        let kind: Sanction.Kind
        switch wanted.kind {
        case "mute": kind = .mute(minutes: minutes)
        case "ban": kind = .ban(minutes: minutes)
        default: throw APIError(.badRequest, "Field \"kind\" must be \"mute\" or \"ban\".")
        }
        return try await moderate(room, kind, user, by: wanted.from)
    }

    private func pardon(_ request: Request, _ context: APIContext) async throws -> Response {
        try await moderate(try room(request, context), .pardon, try user(context), by: request.query("from"))
    }

    private func kick(_ request: Request, _ context: APIContext) async throws -> Response {
        try await moderate(try room(request, context), .kick, try user(context), by: request.query("from"))
    }

    /// The hub writes the audit line, as for moderators.
    private func moderate(
        _ room: RoomID, _ kind: Sanction.Kind, _ user: UserID, by name: String?
    ) async throws -> Response {
        guard !room.name.isDirect else { throw APIError(.badRequest, "Direct conversations cannot be moderated.") }
        let sanction = Sanction(kind, user: user, by: Member(user: try sender(name)))
        switch await hub.moderate(room, sanction, id: try id(nil)) {
        case .notice(_, _, let text): return .json(["notice": text])
        case .error(_, let code, let message, let retryAfter): throw APIError(code, message, retryAfter: retryAfter)
        default: throw APIError(.internal, "The hub did not answer. Try again shortly.")
        }
    }

    // MARK: Parameters

    private func user(_ context: APIContext) throws -> UserID {
        guard let user = parameter("user", context).flatMap(UserID.init) else {
            throw APIError(
                .badRequest, "The user in the path must have 1 to \(UserID.bytesMax) bytes without control characters.")
        }
        return user
    }

    private func room(_ request: Request, _ context: APIContext) throws -> RoomID {
        let tenant = try tenant(request)
        guard let name = parameter("room", context).flatMap(RoomName.init) else {
            throw APIError(
                .badRequest, "The room in the path must be 1 to 64 of a-z, 0-9, '.', '_' and '-', or a dm: name.")
        }
        return RoomID(tenant: tenant, name: name)
    }

    private func parameter(_ name: String, _ context: APIContext) -> String? {
        context.parameters.get(name).flatMap { PercentEncoding.decode($0) }
    }

    private func tenant(_ request: Request) throws -> TenantID {
        guard let text = try request.query("tenant") else { return .standard }
        guard let tenant = TenantID(text) else {
            throw APIError(.badRequest, "`tenant` must be 1 to 64 of a-z, 0-9, '.', '_' and '-'.")
        }
        return tenant
    }
}
