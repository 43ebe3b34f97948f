/// What a client asks of the hub: one decoded text message.
public enum Command: Equatable, Sendable {
    case hello(Hello)
    case refresh(id: CommandID, token: String)
    case join(Join)
    /// Each is answered as a `join` of its own; `id` is for an error that is about all of them.
    case joinMany(id: CommandID?, [Join])
    case leave(id: CommandID, room: RoomName)
    case send(Send)
    case wish(Wish)
    case history(id: CommandID, room: RoomName, range: HistoryRange, limit: Int?)
    case typing(room: RoomName, active: Bool)
    case who(id: CommandID, room: RoomName)
    /// How far the user has got in a room.
    case receipt(room: RoomName, Receipt)
    /// The user's rooms, those after a name.
    case rooms(id: CommandID, after: RoomName?, limit: Int?)
    case upload(Upload)
    case cancelUpload(id: CommandID, transfer: UInt32)
    case pong

    /// The first command of a connection: who is there, on which device.
    public struct Hello: Equatable, Sendable {
        /// Left out by a client that gave its token at the handshake.
        public var token: String?
        /// Left out, the hub makes one up for this connection.
        public var device: DeviceID?
        /// Development mode only: who the client says it is.
        public var user: UserID?

        public init(token: String? = nil, device: DeviceID? = nil, user: UserID? = nil) {
            self.token = token
            self.device = device
            self.user = user
        }
    }

    public struct Join: Equatable, Sendable {
        public var id: CommandID
        public var room: RoomName
        /// Where the client stood; it gets all that came after.
        public var since: Position?
        /// Without `since`: how many of the newest messages it wants.
        public var limit: Int?

        public init(id: CommandID, room: RoomName, since: Position? = nil, limit: Int? = nil) {
            self.id = id
            self.room = room
            self.since = since
            self.limit = limit
        }
    }

    public struct Send: Equatable, Sendable {
        public enum Target: Equatable, Sendable {
            case room(RoomName)
            case user(UserID)
        }

        /// Also the idempotency key: the same user's second `send` with it into the same room is the first one.
        public var id: CommandID
        public var target: Target
        /// Empty only where there are files.
        public var text: String
        /// The offset of the message that this one answers.
        public var replyTo: Offset?
        /// Not stored, no offset, no recovery.
        public var isEphemeral: Bool
        /// What the message is to hold: files of its room.
        public var files: [FileReference]

        public init(
            id: CommandID, target: Target, text: String, replyTo: Offset? = nil, isEphemeral: Bool = false,
            files: [FileReference] = []
        ) {
            self.id = id
            self.target = target
            self.text = text
            self.replyTo = replyTo
            self.isEphemeral = isEphemeral
            self.files = files
        }
    }
}

extension Command {
    /// A file that comes in binary messages.
    public struct Upload: Equatable, Sendable {
        /// Also what the upload is found again by, after a reconnect or a restart (`UploadRequest.id`).
        public var id: CommandID
        public var room: RoomName
        public var name: FileName
        /// The media type that the client says it is, unchecked.
        public var type: String
        /// Bytes of the whole file.
        public var size: UInt64
        /// What they have to come to, where the client knows it.
        public var hash: ContentHash?

        public init(
            id: CommandID, room: RoomName, name: FileName, type: String = "", size: UInt64, hash: ContentHash? = nil
        ) {
            self.id = id
            self.room = room
            self.name = name
            self.type = type
            self.size = size
            self.hash = hash
        }
    }

    /// What a client wants done to a message: `edit`, `delete` and `react`.
    public struct Wish: Equatable, Sendable {
        public enum Kind: Equatable, Sendable {
            case edit(String)
            case delete
            case react(Reaction, isRemoval: Bool)
        }

        /// Also the idempotency key, as of `send`.
        public var id: CommandID
        public var room: RoomName
        /// The message.
        public var target: Offset
        public var kind: Kind

        public init(id: CommandID, room: RoomName, of target: Offset, _ kind: Kind) {
            self.id = id
            self.room = room
            self.target = target
            self.kind = kind
        }
    }
}
