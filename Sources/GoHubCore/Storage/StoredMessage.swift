/// A message as the store holds it and as every subscriber gets it.
public struct StoredMessage: Hashable, Sendable {
    public var offset: Offset
    public var id: CommandID
    public var from: Member
    public var at: WallTime
    public var text: String
    public var replyTo: Offset?

    public init(offset: Offset, id: CommandID, from: Member, at: WallTime, text: String, replyTo: Offset? = nil) {
        self.offset = offset
        self.id = id
        self.from = from
        self.at = at
        self.text = text
        self.replyTo = replyTo
    }
}

/// A message on its way into the store, which gives it its offset.
public struct MessageDraft: Hashable, Sendable {
    public var room: RoomID
    public var id: CommandID
    public var from: Member
    /// When the hub received it. A store with a clock of its own may tell a later time.
    public var receivedAt: WallTime
    public var text: String
    public var replyTo: Offset?

    public init(
        room: RoomID, id: CommandID, from: Member, receivedAt: WallTime, text: String, replyTo: Offset? = nil
    ) {
        self.room = room
        self.id = id
        self.from = from
        self.receivedAt = receivedAt
        self.text = text
        self.replyTo = replyTo
    }
}

/// A part of a room's history, oldest first, with the room's head at the time of reading.
public struct HistoryPage: Hashable, Sendable {
    /// The epoch, and the newest offset in the room (0 for none), whether the page reaches it or not.
    public var head: Position
    public var messages: [StoredMessage]
    /// Whether there is more in the direction that was asked for.
    public var more: Bool

    public init(head: Position, messages: [StoredMessage], more: Bool) {
        self.head = head
        self.messages = messages
        self.more = more
    }
}
