/// A client's command: one decoded text message.
package enum Command: Equatable, Sendable {
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
    package struct Hello: Equatable, Sendable {
        /// Omitted by a client that sent its token in the handshake.
        package var token: String?
        /// If omitted, the hub generates one for this connection.
        package var device: DeviceID?
        /// Development mode only: the user that the client claims to be.
        package var user: UserID?

        package init(token: String? = nil, device: DeviceID? = nil, user: UserID? = nil) {
            self.token = token
            self.device = device
            self.user = user
        }
    }

    package struct Join: Equatable, Sendable {
        package var id: CommandID
        package var room: RoomName
        /// The client's last position; it receives everything after it.
        package var since: Position?
        /// Without `since`: the number of newest messages requested.
        package var limit: Int?

        package init(id: CommandID, room: RoomName, since: Position? = nil, limit: Int? = nil) {
            self.id = id
            self.room = room
            self.since = since
            self.limit = limit
        }
    }

    package struct Send: Equatable, Sendable {
        package enum Target: Equatable, Sendable {
            case room(RoomName)
            case user(UserID)
        }

        /// Also the idempotency key: a repeated `send` of the same user with it into the same room is the first one.
        package var id: CommandID
        package var target: Target
        /// Empty only where there are files.
        package var text: String
        /// The offset of the message that this one replies to.
        package var replyTo: Offset?
        /// Not stored, no offset, no recovery.
        package var isEphemeral: Bool
        /// The files to attach; they must be in the same room.
        package var files: [FileReference]

        package init(
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
    package struct Upload: Equatable, Sendable {
        /// Also identifies the upload after a reconnect or a restart (`Upload.Request.id`).
        package var id: CommandID
        package var room: RoomName
        package var name: FileName
        /// The media type claimed by the client, unchecked.
        package var type: String
        /// The size of the whole file in bytes.
        package var size: UInt64
        /// The expected hash, if the client knows it.
        package var hash: ContentHash?

        package init(
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
    package struct Change: Equatable, Sendable {
        package enum Kind: Equatable, Sendable {
            case edit(String)
            case delete
            case react(Reaction, isRemoval: Bool)
        }

        /// Also the idempotency key, as for `send`.
        package var id: CommandID
        package var room: RoomName
        /// The message.
        package var target: Offset
        package var kind: Kind

        package init(id: CommandID, room: RoomName, of target: Offset, _ kind: Kind) {
            self.id = id
            self.room = room
            self.target = target
            self.kind = kind
        }
    }
}
