/// The result of a message's changes.
public struct Amendments: Hashable, Sendable {
    /// The change that caused it.
    public struct Mark: Hashable, Sendable {
        /// The offset of the change, not of the message.
        public var offset: Offset
        /// The time of the change.
        public var at: WallTime

        public init(offset: Offset, at: WallTime) {
            self.offset = offset
            self.at = at
        }
    }

    /// The users who gave a message the same reaction.
    public struct Tally: Hashable, Sendable {
        /// The maximum number of named users; further ones are only counted.
        public static let usersMax = 5

        public var reaction: Reaction
        /// The number of users who have given the reaction, named or not; at least 1.
        public var count: Int
        /// Up to `usersMax` of them, earliest first.
        public var users: [UserID]

        public init(_ reaction: Reaction, count: Int, users: [UserID]) {
            self.reaction = reaction
            self.count = count
            self.users = users
        }
    }

    /// The last edit.
    public var edited: Mark?
    /// The message's text and its reactions are removed.
    public var deleted: Mark?
    /// In the order in which they were first given.
    public var reactions: [Tally] = []

    public init(edited: Mark? = nil, deleted: Mark? = nil, reactions: [Tally] = []) {
        self.edited = edited
        self.deleted = deleted
        self.reactions = reactions
    }

    /// Applies a change. Clients fold changes with the same rules (`Docs/Protocol.md`).
    public mutating func apply(_ kind: MessageChange.Kind, by user: UserID, _ mark: Mark) {
        guard deleted == nil else { return }
        switch kind {
        case .edited: edited = mark
        case .deleted: self = Amendments(deleted: mark)
        case .reaction(let reaction, let isRemoval, let count):
            let index = reactions.firstIndex { $0.reaction == reaction }
            guard count > 0 else {
                if let index { reactions.remove(at: index) }
                return
            }
            let place = index ?? reactions.count
            if index == nil { reactions.append(Tally(reaction, count: count, users: [])) }
            reactions[place].count = count
            if isRemoval {
                reactions[place].users.removeAll { $0 == user }
            } else if reactions[place].users.count < Tally.usersMax, !reactions[place].users.contains(user) {
                reactions[place].users.append(user)
            }
        }
    }

    /// The approximate bytes in an answer and in a store; never less than `encoded`.
    package var weight: Int {
        var weight = (edited == nil ? 0 : 48) + (deleted == nil ? 0 : 48)
        for tally in reactions {
            weight += 48 + tally.reaction.value.utf8.count
            for user in tally.users { weight += 4 + user.value.utf8.count }
        }
        return weight
    }
}
