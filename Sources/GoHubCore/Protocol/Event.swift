/// What the hub tells a client: one text message.
///
/// Indirect, so that an event is one pointer wherever it is passed on, however much it holds.
public indirect enum Event: Equatable, Sendable {
    case welcome(Welcome)
    case refreshed(id: CommandID, expiresAt: WallTime?)
    case joined(Joined)
    /// With `id`, the reply to `leave`; without, a moderator's doing.
    case left(id: CommandID?, room: RoomName, reason: String?)
    /// A message, or a fact about one: `edited`, `deleted` or `reaction`.
    case message(room: RoomName, StoredMessage)
    /// A message, or a fact, of a direct conversation. It has no members who could be told to start over when its history is lost,
    /// so each message tells its epoch.
    case directMessage(room: RoomName, epoch: Epoch, StoredMessage)
    case ephemeral(room: RoomName, EphemeralMessage)
    case ack(Ack)
    case page(id: CommandID, room: RoomName, HistoryPage)
    case presence(Presence)
    case members(id: CommandID, room: RoomName, Members)
    /// How far some of a room's users have got.
    case receipt(room: RoomName, [UserReceipt])
    case rooms(id: CommandID, RoomsPage)
    case typing(room: RoomName, user: UserID, active: Bool)
    /// The file may come, from the offset on.
    case uploadReady(id: CommandID, TransferProgress)
    case uploadProgress(TransferProgress)
    /// The file is there; `id` is the `upload`'s.
    case uploaded(id: CommandID, AttachedFile)
    case uploadCancelled(id: CommandID)
    /// With `id`, the reply to a slash command that stored nothing.
    case notice(id: CommandID?, room: RoomName?, text: String)
    case error(id: CommandID?, code: ErrorCode, message: String, retryAfter: Milliseconds? = nil)
    case ping
    /// The window, in milliseconds from the close on, in which this client should come back.
    case drain(reconnectAfter: ClosedRange<UInt64>)

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

    /// What a client must know to stay inside the limits.
    public struct WelcomeLimits: Equatable, Sendable {
        public var messageBytes: Int
        public var textBytes: Int
        public var rooms: Int
        public var roomsPerJoin: Int
        public var pageMessages: Int
        public var commandsInFlight: Int
        /// Commands a minute, and at once; 0 is no limit.
        public var commandsPerMinute: UInt64
        public var commandsBurst: UInt64
    }

    public struct Joined: Equatable, Sendable {
        public var id: CommandID
        public var room: RoomName
        /// The position that the messages lead up to; what comes next has the offset after it.
        public var head: Position
        public var recovered: Bool
        public var messages: [StoredMessage]
        public var members: Members
        /// How far the room's users have got; none where there are too many of them.
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

    public struct Ack: Equatable, Sendable {
        public var id: CommandID
        public var room: RoomName
        /// `nil` for an ephemeral message, and where nothing had to be stored.
        public var position: Position?
        public var at: WallTime
        public var isDuplicate: Bool
        /// Whether all is as wished already: nothing was stored, and there is no position.
        public var isUnchanged = false
    }

    /// Who came and went since the last one; a user with several devices counts once.
    public struct Presence: Equatable, Sendable {
        public var room: RoomName
        public var joined: [Member]
        public var left: [UserID]
        /// Users in the room.
        public var count: Int
    }

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

/// A message that only those see who are there now.
public struct EphemeralMessage: Equatable, Sendable {
    public var id: CommandID
    public var from: Member
    public var at: WallTime
    public var text: String
}
