/// What a server does with its hub in its own name, beside what its clients do: the HTTP server API, a bot that
/// moderates, a web page that lists rooms.
///
/// Both hubs have it: `Hub`, for a server with sockets of its own, and `GoHubWire`'s `HubServer`. Nothing here is
/// limited by rate or checked against a token: who may ask is the server's to decide.
///
/// ```swift
/// let event = await hub.publish("The build is green.", to: room, from: Member(user: bot), id: id)
/// if case .error(_, let code, let message, _) = event { … }
/// ```
public protocol HubControl: Sendable {
    /// Whether new clients are let in: false before a start, while the hub drains, and after its end.
    var isAccepting: Bool { get }

    /// Why one more connection of a client with this address would be refused now; `nil` when it would be taken.
    ///
    /// - Parameter address: an IP address without a port; `nil` if unknown.
    func refusal(ofAddress address: String?) -> AdmissionRefusal?

    // MARK: Messages

    /// Publishes a message in a room in a user's name, and waits until it is stored.
    ///
    /// - Parameters:
    ///   - text: not empty, at most `Limits.textBytesMax` bytes of UTF-8, without U+0000.
    ///   - sender: whose message it is, as members are shown it. They needn't be in the room, or be a client at all.
    ///   - id: the idempotency key: a retry with the same sender and id is stored once.
    /// - Returns: `.ack`, or `.error` with the reason.
    func publish(_ text: String, to room: RoomID, from sender: Member, id: CommandID) async -> Event

    /// Gives a message another text in its author's name, and waits until that is stored.
    ///
    /// - Parameters:
    ///   - offset: of the message.
    ///   - text: as for `publish`.
    ///   - author: who sent the message; the message of anybody else stays as it is.
    /// - Returns: `.ack`, or `.error` with the reason.
    func edit(
        _ offset: Offset, in room: RoomID, to text: String, by author: Member, id: CommandID
    ) async -> Event

    /// Deletes a message, whoever's, in a moderator's name, and waits until that is stored.
    ///
    /// - Returns: `.ack`, or `.error` with the reason.
    func delete(_ offset: Offset, in room: RoomID, by moderator: Member, id: CommandID) async -> Event

    /// Reads a page of a room's messages, oldest first.
    ///
    /// - Parameters:
    ///   - limit: how many messages at most, up to `Limits.pageMessagesMax`.
    ///   - id: comes back with the answer.
    /// - Returns: `.page`, or `.error` with the reason.
    func history(of room: RoomID, _ range: HistoryRange, limit: Int, id: CommandID) async -> Event

    // MARK: Rooms and users

    /// Who is in a room: at most `Limits.membersListedMax` of them by name, and the count of all.
    func members(of room: RoomID) async -> Event.Members

    /// A tenant's rooms with members, by name.
    func rooms(of tenant: TenantID) async -> [RoomSummary]

    /// Closes all sessions of a user with 4504.
    ///
    /// - Returns: the number of sessions.
    func disconnect(_ user: UserKey) async -> Int

    // MARK: Moderation

    /// Kicks, mutes, bans or pardons a user in a plain room, and waits until it is in effect.
    ///
    /// - Returns: `.notice` with what the room is told, or `.error` with the reason.
    func moderate(_ room: RoomID, _ sanction: Sanction, id: CommandID) async -> Event

    /// What moderators have taken from a user in a room for now: by a mute to write, by a ban all.
    ///
    /// - Returns: `nil` when the store is unavailable.
    func revokedPermissions(of user: UserID, in room: RoomID) async -> Permissions?

    /// The users who are muted or banned in a room, as stored, ordered by id.
    ///
    /// - Returns: `nil` when the store is unavailable.
    func sanctions(of room: RoomID) async -> [UserSanction]?
}

/// The reason why a connection would be refused now.
public enum AdmissionRefusal: Hashable, Sendable {
    /// The hub hasn't started, drains, or has stopped.
    case notAccepting
    /// The server has as many connections as it may have.
    case full
    /// The address has as many connections as one may have.
    case address
}

/// A room as shown by the server API.
public struct RoomSummary: Equatable, Sendable {
    public var room: RoomName
    /// Users who are present.
    public var users: Int
    /// Their sessions in the room.
    public var sessions: Int

    public init(room: RoomName, users: Int, sessions: Int) {
        self.room = room
        self.users = users
        self.sessions = sessions
    }
}
