/// The store's data about the target of a change request, under the lock that assigns offsets.
package struct ChangeTarget {
    package var author: UserID
    package var amendments: Amendments
    /// The requesting user's reactions to it.
    package var own: Set<Reaction>

    package init(author: UserID, amendments: Amendments, own: Set<Reaction>) {
        self.author = author
        self.amendments = amendments
        self.own = own
    }
}

package enum ChangeDecision: Equatable {
    case apply(MessageChange)
    /// The requested state already exists.
    case unchanged
    case refused(AppendRejection)
}

extension ChangeRequest {
    /// The decision, the same for all stores.
    ///
    /// - Parameter target: `nil` when the room has no such message.
    package func decision(by user: UserID, on target: ChangeTarget?) -> ChangeDecision {
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
