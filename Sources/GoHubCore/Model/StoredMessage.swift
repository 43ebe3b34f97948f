/// An entry of a room's history, a message or a fact about one, as the store holds it and as every subscriber gets it.
public struct StoredMessage: Hashable, Sendable {
    public var offset: Offset
    public var at: WallTime
    public let content: MessageContent

    public init(offset: Offset, at: WallTime, _ content: MessageContent) {
        self.offset = offset
        self.at = at
        self.content = content
    }

    public init(offset: Offset, id: CommandID, from: Member, at: WallTime, text: String, replyTo: Offset? = nil) {
        self.init(offset: offset, at: at, MessageContent(id: id, from: from, text: text, replyTo: replyTo))
    }

    public var id: CommandID { content.id }
    public var from: Member { content.from }
    public var text: String { content.text }
    public var replyTo: Offset? { content.replyTo }
}

/// A message, or a wish about one, on its way into the store, which gives it its offset.
public struct MessageDraft: Hashable, Sendable {
    public var room: RoomID
    /// When the hub received it. A store with a clock of its own may tell a later time.
    public var receivedAt: WallTime
    public let content: MessageContent

    public init(
        room: RoomID, id: CommandID, from: Member, receivedAt: WallTime, text: String, replyTo: Offset? = nil,
        files: [FileReference] = []
    ) {
        self.init(
            room: room, receivedAt: receivedAt,
            MessageContent(
                id: id, from: from, text: text, replyTo: replyTo, kind: files.isEmpty ? .plain : .attaching(files)))
    }

    init(room: RoomID, receivedAt: WallTime, _ content: MessageContent) {
        self.room = room
        self.receivedAt = receivedAt
        self.content = content
    }

    public var id: CommandID { content.id }
    public var from: Member { content.from }
    public var text: String { content.text }
    public var replyTo: Offset? { content.replyTo }
}

/// What the sender gave a message, which is the same from the edge to the last subscriber. An object, so that the store,
/// the room's newest messages and the event share one.
public final class MessageContent: Hashable, Sendable {
    /// What it is. One pointer, and none for a message as it was sent.
    public indirect enum Kind: Hashable, Sendable {
        /// A message as it was sent.
        case plain
        /// A message that facts have changed since; the text is the one that it has now.
        case amended(Amendments)
        /// A message that holds files, with what facts have made of it since.
        case attached([AttachedFile], Amendments?)
        case fact(Fact)
        /// In a draft only: what the store is to find out about.
        case wish(Wish)
        /// In a draft only: a message with files that the store is to find.
        case attaching([FileReference])
    }

    public let id: CommandID
    public let from: Member
    public let text: String
    public let replyTo: Offset?
    public let kind: Kind

    public init(id: CommandID, from: Member, text: String, replyTo: Offset? = nil, kind: Kind = .plain) {
        self.id = id
        self.from = from
        self.text = text
        self.replyTo = replyTo
        self.kind = kind
    }

    public static func == (left: MessageContent, right: MessageContent) -> Bool {
        left === right
            || (left.id == right.id && left.from == right.from && left.text.hasSameBytes(as: right.text)
                && left.replyTo == right.replyTo && left.kind == right.kind)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(from)
    }
}

/// A part of a room's history, oldest first, without a hole, each message as it stands now, with the room's head at the time of reading.
public struct HistoryPage: Hashable, Sendable {
    /// The epoch, and the newest offset in the room (0 for none), whether the page reaches it or not.
    public var head: Position
    public var messages: [StoredMessage]
    /// Whether there is more in the direction that was asked for.
    public var more: Bool
    /// How far users have got in the room, as many as were asked for.
    public var receipts: [UserReceipt]
    /// Who is muted or banned in the room now, as many as were asked for.
    public var sanctions: [UserSanction]

    public init(
        head: Position, messages: [StoredMessage], more: Bool, receipts: [UserReceipt] = [],
        sanctions: [UserSanction] = []
    ) {
        self.head = head
        self.messages = messages
        self.more = more
        self.receipts = receipts
        self.sanctions = sanctions
    }
}
