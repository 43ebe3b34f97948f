/// What was done to a message after it was sent: an entry of the room's history like a message, with an offset of its
/// own, so that order, recovery and idempotency hold for it too.
public struct Fact: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The entry's text is the message's text as it is now; empty when the message is deleted or gone.
        case edited
        case deleted
        /// - `count`: how many users have given this reaction, after this one has.
        case reaction(Reaction, isRemoval: Bool, count: Int)
    }

    /// The message that it speaks of.
    public var target: Offset
    public var kind: Kind

    public init(of target: Offset, _ kind: Kind) {
        self.target = target
        self.kind = kind
    }

    /// Whether the message has another text since.
    var changesText: Bool {
        switch kind {
        case .edited, .deleted: true
        case .reaction: false
        }
    }
}
