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
