/// The sender's part of a message, identical from the edge to the last subscriber. An object, so that the store, the
/// room's newest messages and the event share it.
public final class MessageContent: Hashable, Sendable {
    /// The kind of content. One pointer, and none for an unchanged message.
    public indirect enum Kind: Hashable, Sendable {
        /// An unchanged message.
        case plain
        /// A changed message; the text is the current one.
        case amended(Amendments)
        /// A message with files and possibly changes.
        case attached([AttachedFile], Amendments?)
        /// An entry that changes another message.
        case change(MessageChange)
        /// In a draft only: a change request for the store to decide.
        case changeRequest(ChangeRequest)
        /// In a draft only: a message with files that the store must find.
        case attaching([FileReference])
    }

    /// The id of the sender's command: the idempotency key.
    public let id: CommandID
    public let from: Member
    /// At most `Limits.textBytesMax` bytes of UTF-8. Empty for a deleted message, a deletion and a reaction; it may be
    /// empty for a message with files.
    public let text: String
    /// The offset of the message that this one answers, not checked; `nil` for none.
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
