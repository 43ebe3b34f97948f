/// An event from the hub to a client: one text message.
///
/// Indirect, so that an event is one pointer, however much it contains.
public indirect enum Event: Equatable, Sendable {
    case welcome(Welcome)
    case refreshed(id: CommandID, expiresAt: WallTime?)
    case joined(Joined)
    /// With `id`, the reply to `leave`; without, a removal by a moderator.
    case left(id: CommandID?, room: RoomName, reason: String?)
    /// A message, or a change of one: `edited`, `deleted` or `reaction`.
    case message(room: RoomName, StoredMessage)
    /// A message or a change in a direct conversation. It has no members that could be asked to resync when its history
    /// is lost, so each message carries its epoch.
    case directMessage(room: RoomName, epoch: Epoch, StoredMessage)
    case ephemeral(room: RoomName, Event.Ephemeral)
    case ack(Ack)
    case page(id: CommandID, room: RoomName, HistoryPage)
    case presence(Presence)
    case members(id: CommandID, room: RoomName, Members)
    /// Receipts of some of a room's users.
    case receipt(room: RoomName, [UserReceipt])
    case rooms(id: CommandID, RoomsPage)
    case typing(room: RoomName, user: UserID, active: Bool)
    /// The upload may continue from the offset.
    case uploadReady(id: CommandID, Event.TransferProgress)
    case uploadProgress(Event.TransferProgress)
    /// The upload is finished; `id` is the id of the `upload`.
    case uploaded(id: CommandID, AttachedFile)
    case uploadCancelled(id: CommandID)
    /// With `id`, the reply to a slash command that stored nothing.
    case notice(id: CommandID?, room: RoomName?, text: String)
    case error(id: CommandID?, code: ErrorCode, message: String, retryAfter: Milliseconds? = nil)
    case ping
    /// The time range after the close, in milliseconds, in which the client should reconnect.
    case drain(reconnectAfter: ClosedRange<UInt64>)

    /// The first event of a session: who the user is, and the limits.
    public struct Welcome: Equatable, Sendable {
        public var session: SessionID
        public var tenant: TenantID
        public var user: UserID
        public var name: String
        public var device: DeviceID
        public var node: String
        public var serverTime: WallTime
        public var heartbeat: Milliseconds
        public var expiresAt: WallTime?
        public var limits: WelcomeLimits
    }

    /// The limits that a client must know.
    public struct WelcomeLimits: Equatable, Sendable {
        public var messageBytes: Int
        public var textBytes: Int
        public var rooms: Int
        public var roomsPerJoin: Int
        public var pageMessages: Int
        public var commandsInFlight: Int
        /// Commands per minute, and in one burst; 0 is no limit.
        public var commandsPerMinute: UInt64
        public var commandsBurst: UInt64
    }

    /// The reply to `join`: the room, and the entries that the client missed or asked for.
    public struct Joined: Equatable, Sendable {
        public var id: CommandID
        public var room: RoomName
        /// The position that the messages lead up to; the next entry has the following offset.
        public var head: Position
        public var recovered: Bool
        public var messages: [StoredMessage]
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
        public var at: WallTime
        public var isDuplicate: Bool
        /// True when the requested state already existed: nothing was stored, and there is no position.
        public var isUnchanged = false
    }

    /// Joins and leaves since the last `presence`; a user with several devices counts once.
    public struct Presence: Equatable, Sendable {
        public var room: RoomName
        public var joined: [Member]
        public var left: [UserID]
        /// Users in the room.
        public var count: Int
    }

    /// The users in a room, each once, however many devices they have.
    public struct Members: Equatable, Sendable {
        public var listed: [Member]
        /// Users in the room, listed or not.
        public var count: Int

        public init(listed: [Member] = [], count: Int = 0) {
            self.listed = listed
            self.count = count
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
        public var at: WallTime
        public var text: String
    }
}
