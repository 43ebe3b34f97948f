extension ChangeRequest {
    /// The store's data about the target of a change request, read under the lock that assigns offsets.
    public struct Target {
        /// The author of the message.
        public var author: UserID
        /// The result of the message's earlier changes.
        public var amendments: Amendments
        /// The requesting user's reactions to it.
        public var own: Set<Reaction>

        /// - Parameters:
        ///   - author: the author of the message.
        ///   - amendments: the result of its earlier changes; empty for an unchanged message.
        ///   - own: the requesting user's reactions to it.
        public init(author: UserID, amendments: Amendments, own: Set<Reaction>) {
            self.author = author
            self.amendments = amendments
            self.own = own
        }
    }

    /// The store's decision on a change request.
    public enum Decision: Equatable {
        /// The store assigns the change the next offset, and applies it to its message in the same transaction.
        case apply(MessageChange)
        /// The requested state already exists: nothing is stored.
        case unchanged
        /// Nothing is stored.
        case refused(AppendOutcome.Rejection)
    }

    /// The decision on this request: the rule of every store. The hub has checked the user's permissions in the room.
    ///
    /// - Parameters:
    ///   - user: the user who requests the change.
    ///   - target: the message to change; `nil` when the room has no such message, or the offset is that of a change.
    /// - Returns: for `.apply`, the change to store.
    public func decision(by user: UserID, on target: Target?) -> Decision {
        guard let target, target.amendments.deleted == nil else { return .refused(.notFound) }
        switch kind {
        case .edit:
            return target.author == user ? .apply(MessageChange(of: self.target, .edited)) : .refused(.forbidden)
        case .delete(let mayModerate):
            guard mayModerate || target.author == user else { return .refused(.forbidden) }
            return .apply(MessageChange(of: self.target, .deleted))
        case .react(let reaction, let isRemoval, let bounds):
            guard target.own.contains(reaction) == isRemoval else { return .unchanged }
            let tallies = target.amendments.reactions
            let known = tallies.first { $0.reaction == reaction }
            let count = (known?.count ?? 0) + (isRemoval ? -1 : 1)
            let change = MessageChange(of: self.target, .reaction(reaction, isRemoval: isRemoval, count: max(0, count)))
            if isRemoval { return .apply(change) }
            guard known != nil || tallies.count < bounds.kindsMax, target.own.count < bounds.perUserMax,
                tallies.reduce(0, { $0 + $1.count }) < bounds.totalMax
            else { return .refused(.tooManyReactions) }
            return .apply(change)
        }
    }
}
