/// What somebody wants done to a message: a fact, if the store finds that it may become one.
public struct Wish: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The draft's text is the new one.
        case edit
        /// - `mayModerate`: whether others' messages, too.
        case delete(mayModerate: Bool)
        case react(Reaction, isRemoval: Bool, ReactionBounds)
    }

    /// How many reactions a message may have.
    public struct ReactionBounds: Hashable, Sendable {
        /// Different ones.
        public var kindsMax: Int
        /// Of one user.
        public var perUserMax: Int
        /// Of all users.
        public var totalMax: Int

        public init(kindsMax: Int, perUserMax: Int, totalMax: Int) {
            self.kindsMax = kindsMax
            self.perUserMax = perUserMax
            self.totalMax = totalMax
        }
    }

    /// The message that it speaks of.
    public var target: Offset
    public var kind: Kind

    public init(of target: Offset, _ kind: Kind) {
        self.target = target
        self.kind = kind
    }
}

/// Why a wish is not to be a fact, or a message not to be stored.
public enum WishRefusal: Hashable, Sendable {
    /// There is no such message: never was, is a fact, was deleted, or is gone by retention.
    case notFound
    /// It is another's.
    case forbidden
    /// It has too many reactions, or too many of this user's.
    case tooManyReactions
    /// Of the files that the message should hold one isn't there, isn't complete, or is another room's.
    case fileNotFound
}

/// What a store knows of a wish's message, under the lock that gives offsets.
package struct WishTarget {
    package var author: UserID
    package var amendments: Amendments
    /// The wisher's reactions to it.
    package var own: Set<Reaction>

    package init(author: UserID, amendments: Amendments, own: Set<Reaction>) {
        self.author = author
        self.amendments = amendments
        self.own = own
    }
}

package enum WishVerdict: Equatable {
    case apply(Fact)
    /// It is so already.
    case unchanged
    case refused(WishRefusal)
}

extension Wish {
    /// The rule of all stores.
    ///
    /// - Parameter target: `nil` when the room has no such message.
    package func verdict(by user: UserID, on target: WishTarget?) -> WishVerdict {
        guard let target, target.amendments.deleted == nil else { return .refused(.notFound) }
        switch kind {
        case .edit:
            return target.author == user ? .apply(Fact(of: self.target, .edited)) : .refused(.forbidden)
        case .delete(let mayModerate):
            guard mayModerate || target.author == user else { return .refused(.forbidden) }
            return .apply(Fact(of: self.target, .deleted))
        case .react(let reaction, let isRemoval, let bounds):
            guard target.own.contains(reaction) == isRemoval else { return .unchanged }
            let tallies = target.amendments.reactions
            let known = tallies.first { $0.reaction == reaction }
            let count = (known?.count ?? 0) + (isRemoval ? -1 : 1)
            let fact = Fact(of: self.target, .reaction(reaction, isRemoval: isRemoval, count: max(0, count)))
            if isRemoval { return .apply(fact) }
            guard known != nil || tallies.count < bounds.kindsMax, target.own.count < bounds.perUserMax,
                tallies.reduce(0, { $0 + $1.count }) < bounds.totalMax
            else { return .refused(.tooManyReactions) }
            return .apply(fact)
        }
    }
}

extension MessageDraft {
    /// A wish on its way into the store.
    ///
    /// - Parameter text: of an edit.
    public init(room: RoomID, id: CommandID, from: Member, receivedAt: WallTime, _ wish: Wish, text: String = "") {
        self.init(
            room: room, receivedAt: receivedAt, MessageContent(id: id, from: from, text: text, kind: .wish(wish)))
    }

    public var wish: Wish? {
        if case .wish(let wish) = content.kind { wish } else { nil }
    }
}
