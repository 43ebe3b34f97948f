/// An event from the hub to a client: one text message.
///
/// Indirect, so that an event is one pointer, however much it contains.
public indirect enum Event: Equatable, Sendable {
    /// The reply to `hello`.
    case welcome(Welcome)
    /// The reply to `refresh`. `expiresAt` is the end of the new token's validity; `nil` for never.
    case refreshed(id: CommandID, expiresAt: WallTime?)
    /// The reply to `join`.
    case joined(Joined)
    /// With `id`, the reply to `leave`; without, a removal by a moderator.
    case left(id: CommandID?, room: RoomName, reason: String?)
    /// A message, or a change of one: `edited`, `deleted` or `reaction`.
    case message(room: RoomName, StoredMessage)
    /// A message or a change in a direct conversation. It has no members that could be asked to resync when its history
    /// is lost, so each message carries its epoch.
    case directMessage(room: RoomName, epoch: Epoch, StoredMessage)
    /// A message that isn't stored, without an offset.
    case ephemeral(room: RoomName, Event.Ephemeral)
    /// The reply to a message or a change request.
    case ack(Ack)
    /// The reply to `history`.
    case page(id: CommandID, room: RoomName, HistoryPage)
    /// Changes of a room's members.
    case presence(Presence)
    /// The reply to `who`.
    case members(id: CommandID, room: RoomName, Members)
    /// Receipts of some of a room's users.
    case receipt(room: RoomName, [UserReceipt])
    /// The reply to `rooms`.
    case rooms(id: CommandID, RoomsPage)
    /// A user is typing, or has stopped.
    case typing(room: RoomName, user: UserID, active: Bool)
    /// The upload may continue from the offset.
    case uploadReady(id: CommandID, Event.TransferProgress)
    /// More bytes of an upload are stored.
    case uploadProgress(Event.TransferProgress)
    /// The upload is finished; `id` is the id of the `upload`.
    case uploaded(id: CommandID, AttachedFile)
    /// The reply to `cancelUpload`: the stored bytes are removed.
    case uploadCancelled(id: CommandID)
    /// With `id`, the reply to a slash command that stored nothing.
    case notice(id: CommandID?, room: RoomName?, text: String)
    /// A command was refused. Without `id` it is a `hello`, a malformed command, or one above a rate. `message` is for
    /// people; `retryAfter` is the time to wait before another attempt.
    case error(id: CommandID?, code: ErrorCode, message: String, retryAfter: Milliseconds? = nil)
    /// The hub has received nothing for `Limits.heartbeat`. The client must answer `pong` within
    /// `Limits.heartbeatGrace`.
    case ping
    /// The time range after the close, in milliseconds, in which the client should reconnect.
    case drain(reconnectAfter: ClosedRange<UInt64>)

    /// The first event of a session: who the user is, and the limits.
    public struct Welcome: Equatable, Sendable {
        public var session: ClusterSessionID
        public var tenant: TenantID
        public var user: UserID
        /// The name that others see; the user's id if the token has none.
        public var name: String
        /// As in `hello`; generated for this connection if the client sent none.
        public var device: DeviceID
        /// The node's name.
        public var node: String
        /// The hub's time.
        public var serverTime: WallTime
        /// The idle time after which the hub sends `ping`.
        public var heartbeat: Milliseconds
        /// The end of the token's validity here: `exp` plus the leeway; `nil` for never.
        public var expiresAt: WallTime?
        public var limits: WelcomeLimits
    }

    /// The limits that a client must know.
    public struct WelcomeLimits: Equatable, Sendable {
        /// Bytes of a WebSocket message.
        public var messageBytes: Int
        /// Bytes of UTF-8 of a message's text.
        public var textBytes: Int
        /// Plain rooms that a session can be in.
        public var rooms: Int
        /// Rooms in one `join`.
        public var roomsPerJoin: Int
        /// Entries in one `joined` or `page`.
        public var pageMessages: Int
        /// Commands without a reply, above which reading pauses.
        public var commandsInFlight: Int
        /// Commands of a connection per minute; 0 for no limit.
        public var commandsPerMinute: UInt64
        /// Commands that may come at once; 0 for no limit.
        public var commandsBurst: UInt64
    }

    /// The reply to `join`: the room, and the entries that the client missed or asked for.
    public struct Joined: Equatable, Sendable {
        public var id: CommandID
        public var room: RoomName
        /// The position that the messages lead up to; the next entry has the following offset.
        public var head: Position
        /// With `since`: whether `messages` contains every entry after it. False without `since`.
        public var recovered: Bool
        /// Messages and changes in the order of their offsets, up to the head.
        public var messages: [StoredMessage]
        /// Empty for a direct conversation.
        public var members: Members
        /// Receipts of the room's users; none if there are too many.
        public var receipts: [UserReceipt]

        public init(
            id: CommandID, room: RoomName, head: Position, recovered: Bool, messages: [StoredMessage],
            members: Members, receipts: [UserReceipt] = []
        ) {
            self.id = id
            self.room = room
            self.head = head
            self.recovered = recovered
            self.messages = messages
            self.members = members
            self.receipts = receipts
        }
    }

    /// The reply to a message or a change: it is stored.
    public struct Ack: Equatable, Sendable {
        public var id: CommandID
        public var room: RoomName
        /// `nil` for an ephemeral message, and when nothing had to be stored.
        public var position: Position?
        /// The time of the entry, or of the ephemeral message. For a duplicate, that of the first one.
        public var at: WallTime
        /// True when an earlier command with the same id was stored: `position` and `at` are those of its entry.
        public var isDuplicate: Bool
        /// True when the requested state already existed: nothing was stored, and there is no position.
        public var isUnchanged = false
    }

    /// Joins and leaves since the last `presence`; a user with several devices counts once.
    public struct Presence: Equatable, Sendable {
        public var room: RoomName
        /// The users who joined. With `left`, at most `Limits.presenceNamesMax` users.
        public var joined: [Member]
        /// The users who left.
        public var left: [UserID]
        /// Users in the room.
        public var count: Int
    }

    /// The users in a room, each once, however many devices they have.
    public struct Members: Equatable, Sendable {
        /// At most `Limits.membersListedMax` users.
        public var listed: [Member]
        /// Users in the room, listed or not.
        public var count: Int
        /// Whether there may be more users: other hubs on the database have members that this one doesn't know.
        public var isPartial: Bool

        public init(listed: [Member] = [], count: Int = 0, isPartial: Bool = false) {
            self.listed = listed
            self.count = count
            self.isPartial = isPartial
        }
    }
}

extension Event {
    /// The command that this event replies to.
    public var id: CommandID? {
        switch self {
        case .refreshed(let id, _), .page(let id, _, _), .members(let id, _, _), .rooms(let id, _),
            .uploadReady(let id, _), .uploaded(let id, _), .uploadCancelled(let id):
            id
        case .joined(let joined): joined.id
        case .ack(let ack): ack.id
        case .left(let id, _, _), .notice(let id, _, _), .error(let id, _, _, _): id
        case .welcome, .message, .directMessage, .ephemeral, .presence, .receipt, .typing, .uploadProgress, .ping,
            .drain:
            nil
        }
    }
}

extension Event {
    /// A message for the users who are present now.
    public struct Ephemeral: Equatable, Sendable {
        public var id: CommandID
        public var from: Member
        /// The time when the hub received it.
        public var at: WallTime
        /// At most `Limits.textBytesMax` bytes of UTF-8.
        public var text: String
    }
}
