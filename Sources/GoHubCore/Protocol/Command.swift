/// A client's command: one decoded text message.
public enum Command: Equatable, Sendable {
    case hello(Hello)
    case refresh(id: CommandID, token: String)
    case join(Join)
    /// Each is answered like a separate `join`; `id` is for an error about all of them.
    case joinMany(id: CommandID?, [Join])
    case leave(id: CommandID, room: RoomName)
    case send(Send)
    case change(Change)
    case history(id: CommandID, room: RoomName, range: HistoryRange, limit: Int?)
    case typing(room: RoomName, active: Bool)
    case who(id: CommandID, room: RoomName)
    /// The user's receipt in a room.
    case receipt(room: RoomName, Receipt)
    /// The user's rooms after a name.
    case rooms(id: CommandID, after: RoomName?, limit: Int?)
    case upload(Upload)
    case cancelUpload(id: CommandID, transfer: UInt32)
    case pong

    /// The first command of a connection: identity and device.
    public struct Hello: Equatable, Sendable {
        /// Omitted by a client that sent its token in the handshake.
        public var token: String?
        /// If omitted, the hub generates one for this connection.
        public var device: DeviceID?
        /// Development mode only: the user that the client claims to be.
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
        /// The client's last position; it receives everything after it.
        public var since: Position?
        /// Without `since`: the number of newest messages requested.
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

        /// Also the idempotency key: a repeated `send` of the same user with it into the same room is the first one.
        public var id: CommandID
        public var target: Target
        /// Empty only where there are files.
        public var text: String
        /// The offset of the message that this one replies to.
        public var replyTo: Offset?
        /// Not stored, no offset, no recovery.
        public var isEphemeral: Bool
        /// The files to attach; they must be in the same room.
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
    /// An upload in binary messages.
    public struct Upload: Equatable, Sendable {
        /// Also identifies the upload after a reconnect or a restart (`UploadRequest.id`).
        public var id: CommandID
        public var room: RoomName
        public var name: FileName
        /// The media type claimed by the client, unchecked.
        public var type: String
        /// The size of the whole file in bytes.
        public var size: UInt64
        /// The expected hash, if the client knows it.
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

    /// A client's change request: `edit`, `delete` or `react`.
    public struct Change: Equatable, Sendable {
        public enum Kind: Equatable, Sendable {
            case edit(String)
            case delete
            case react(Reaction, isRemoval: Bool)
        }

        /// Also the idempotency key, as for `send`.
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
