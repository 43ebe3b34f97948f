/// A change of a message after it was sent: an entry of the room's history like a message, with its own offset, so that
/// order, recovery and idempotency apply to it, too.
public struct MessageChange: Hashable, Sendable {
    /// The effect of a change on its message.
    public enum Kind: Hashable, Sendable {
        /// The entry's text is the message's current text; empty when the message is deleted or missing.
        case edited
        /// The message has lost its text, its files and its reactions.
        case deleted
        /// - `count`: the number of users with this reaction, after this change.
        case reaction(Reaction, isRemoval: Bool, count: Int)
    }

    /// The changed message.
    public var target: Offset
    public var kind: Kind

    public init(of target: Offset, _ kind: Kind) {
        self.target = target
        self.kind = kind
    }

    /// Whether it changes the message's text.
    var changesText: Bool {
        switch kind {
        case .edited, .deleted: true
        case .reaction: false
        }
    }
}
