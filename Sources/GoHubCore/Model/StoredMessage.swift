/// An entry of a room's history: a message or a change of one, as stored and as sent to every subscriber.
public struct StoredMessage: Hashable, Sendable {
    /// The entry's place in its room, at least 1.
    public var offset: Offset
    /// The time that the store assigned to the entry.
    public var at: WallTime
    public let content: MessageContent

    public init(offset: Offset, at: WallTime, _ content: MessageContent) {
        self.offset = offset
        self.at = at
        self.content = content
    }

    /// An unchanged message without files.
    public init(offset: Offset, id: CommandID, from: Member, at: WallTime, text: String, replyTo: Offset? = nil) {
        self.init(offset: offset, at: at, MessageContent(id: id, from: from, text: text, replyTo: replyTo))
    }

    public var id: CommandID { content.id }
    public var from: Member { content.from }
    public var text: String { content.text }
    public var replyTo: Offset? { content.replyTo }
}
