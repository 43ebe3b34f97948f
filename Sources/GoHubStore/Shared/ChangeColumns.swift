internal import GoHubCore

/// A change as columns of a table. If it has a text, that is its message's text.
struct ChangeColumns {
    /// The values of `kind`.
    private enum Kind: Int64 {
        case edited = 1
        case deleted = 2
        case reaction = 3
        case reactionRemoved = 4
    }

    /// The number of an edit's kind, for statements that return its message's text.
    static let edited = Kind.edited.rawValue

    let target: Int64
    let kind: Int64
    /// Empty unless it is a reaction.
    let reaction: String
    let total: Int64

    init(_ change: MessageChange) {
        target = Int64(clamping: change.target)
        switch change.kind {
        case .edited: (kind, reaction, total) = (Kind.edited.rawValue, "", 0)
        case .deleted: (kind, reaction, total) = (Kind.deleted.rawValue, "", 0)
        case .reaction(let reaction, let isRemoval, let count):
            kind = (isRemoval ? Kind.reactionRemoved : .reaction).rawValue
            (self.reaction, total) = (reaction.value, Int64(count))
        }
    }

    /// - Parameter row: a change.
    init(_ row: some ResultRow<MessageColumn>) {
        target = row.integer(.target)
        kind = row.integer(.kind)
        reaction = row.text(.reaction)
        total = row.integer(.total)
    }

    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    var change: MessageChange? {
        let target = UInt64(bitPattern: target)
        switch Kind(rawValue: kind) {
        case .edited: return MessageChange(of: target, .edited)
        case .deleted: return MessageChange(of: target, .deleted)
        case .reaction, .reactionRemoved:
            guard let reaction = Reaction(reaction) else { return nil }
            let isRemoval = kind == Kind.reactionRemoved.rawValue
            return MessageChange(of: target, .reaction(reaction, isRemoval: isRemoval, count: Int(clamping: total)))
        case nil: return nil
        }
    }
}
