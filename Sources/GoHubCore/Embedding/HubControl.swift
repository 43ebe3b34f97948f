/// A server's own operations on its hub, in addition to its clients' commands: for the HTTP server API, a bot that
/// moderates, or a web page that lists rooms.
///
/// Both hubs conform: `Hub`, for a server with its own sockets, and `GoHubWire`'s `HubServer`. Nothing here is
/// rate-limited or checked against a token: the server authorizes its callers.
///
/// ```swift
/// let event = await hub.publish("The build is green.", to: room, from: Member(user: bot), id: id)
/// if case .error(_, let code, let message, _) = event { … }
/// ```
public protocol HubControl: Sendable {
    /// Whether new clients are accepted: false before a start, while the hub drains, and after its end.
    var isAccepting: Bool { get }

    /// The reason for refusing another connection of a client with this address now; `nil` if there is none.
    ///
    /// - Parameter address: an IP address without a port; `nil` if unknown.
    func refusal(ofAddress address: String?) -> Hub.AdmissionRefusal?

    // MARK: Messages

    /// Publishes a message in a room in a user's name, and waits until it is stored.
    ///
    /// - Parameters:
    ///   - text: not empty, at most `Limits.textBytesMax` bytes of UTF-8, without U+0000.
    ///   - room: a plain room, or a direct conversation.
    ///   - sender: the author that members see. It needn't be in the room, or be a client at all.
    ///   - id: the idempotency key: a retry with the same sender and id is stored once.
    /// - Returns: `.ack`, or `.error` with the reason.
    func publish(_ text: String, to room: RoomID, from sender: Member, id: CommandID) async -> Event

    /// Replaces a message's text in its author's name, and waits until that is stored.
    ///
    /// - Parameters:
    ///   - offset: the message's offset.
    ///   - room: the message's room.
    ///   - text: as for `publish`.
    ///   - author: the message's author; messages of other users stay unchanged.
    ///   - id: the idempotency key, as for `publish`.
    /// - Returns: `.ack`, or `.error` with the reason.
    func edit(
        _ offset: Offset, in room: RoomID, to text: String, by author: Member, id: CommandID
    ) async -> Event

    /// Deletes a message of any author in a moderator's name, and waits until that is stored.
    ///
    /// - Returns: `.ack`, or `.error` with the reason.
    func delete(_ offset: Offset, in room: RoomID, by moderator: Member, id: CommandID) async -> Event

    /// Reads a page of a room's messages, oldest first.
    ///
    /// - Parameters:
    ///   - room: a plain room, or a direct conversation.
    ///   - range: the newest entries, or those before or after an offset.
    ///   - limit: the maximum number of messages, up to `Limits.pageMessagesMax`.
    ///   - id: is returned with the answer.
    /// - Returns: `.page`, or `.error` with the reason.
    func history(of room: RoomID, _ range: HistoryRange, limit: Int, id: CommandID) async -> Event

    // MARK: Rooms and users

    /// The members of a room: at most `Limits.membersListedMax` by name, and the count of all.
    func members(of room: RoomID) async -> Event.Members

    /// Whether other hubs on the database have rooms, members and sessions that `rooms`, `members` and `disconnect`
    /// leave out.
    var hasPeers: Bool { get }

    /// A tenant's rooms with members, ordered by name.
    func rooms(of tenant: TenantID) async -> [Hub.RoomSummary]

    /// Closes all sessions of a user with 4504.
    ///
    /// - Returns: the number of sessions.
    func disconnect(_ user: UserKey) async -> Int

    // MARK: Moderation

    /// Kicks, mutes, bans or pardons a user in a plain room, and waits until the sanction is in effect.
    ///
    /// - Returns: `.notice` with the text for the room, or `.error` with the reason.
    func moderate(_ room: RoomID, _ sanction: Sanction, id: CommandID) async -> Event

    /// The permissions revoked from a user in a room now: write by a mute, all by a ban.
    ///
    /// - Returns: `nil` when the store is unavailable.
    func revokedPermissions(of user: UserID, in room: RoomID) async -> Permissions?

    /// The users who are muted or banned in a room, as stored, ordered by id.
    ///
    /// - Returns: `nil` when the store is unavailable.
    func sanctions(of room: RoomID) async -> [UserSanction]?
}

extension Hub {
    /// The reason why a connection would be refused now.
    public enum AdmissionRefusal: Hashable, Sendable {
        /// The hub hasn't started, is draining, or has stopped.
        case notAccepting
        /// The server has its maximum number of connections.
        case full
        /// The address has its maximum number of connections.
        case address
    }

    /// A room as shown by the server API.
    public struct RoomSummary: Equatable, Sendable {
        public var room: RoomName
        /// The number of users who are present.
        public var users: Int
        /// The number of their sessions in the room.
        public var sessions: Int

        public init(room: RoomName, users: Int, sessions: Int) {
            self.room = room
            self.users = users
            self.sessions = sessions
        }
    }
}
