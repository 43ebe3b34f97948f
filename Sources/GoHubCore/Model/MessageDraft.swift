/// A message or a change request on its way into the store, which assigns the offset.
public struct MessageDraft: Hashable, Sendable {
    public var room: RoomID
    /// The time when the hub received it. A store with its own clock may assign a later time.
    public var receivedAt: WallTime
    public let content: MessageContent

    /// A message on its way into the store.
    ///
    /// - Parameters:
    ///   - room: the room, which need not exist.
    ///   - id: the idempotency key.
    ///   - from: the author.
    ///   - receivedAt: the time when the hub received it.
    ///   - text: at most `Limits.textBytesMax` bytes of UTF-8, not checked here; empty only with files.
    ///   - replyTo: the offset of the message that this one answers.
    ///   - files: the files to attach, which the store must find in the room.
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
