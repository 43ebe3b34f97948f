/// The version of a node's set of users in a room. It grows with every change, also when the room was evicted in
/// between: it begins with a reading of the node's clock (`HybridTime`).
package typealias PresenceVersion = UInt64

/// What has changed in a node's set of users in a room. Applying it twice, or on top of a set that has it, is harmless.
package struct PresenceUpdate: Hashable, Sendable {
    /// The version that it builds on; `nil` if the set was empty before.
    package var from: PresenceVersion?
    package var to: PresenceVersion
    /// Users who came, or have another name.
    package var joined: [Member]
    package var left: [UserID]
    /// Whether those who left were sent to another node, because this one drains. They count as present for a while.
    package var isMove: Bool

    package init(
        from: PresenceVersion?, to: PresenceVersion, joined: [Member] = [], left: [UserID] = [], isMove: Bool = false
    ) {
        self.from = from
        self.to = to
        self.joined = joined
        self.left = left
        self.isMove = isMove
    }
}

/// A part of a node's whole set of users in a room.
package struct PresencePart: Hashable, Sendable {
    package var version: PresenceVersion
    /// 0, 1, …
    package var number: Int
    /// The number of parts; at least 1, also for an empty set.
    package var count: Int
    package var members: [Member]

    package init(version: PresenceVersion, number: Int, of count: Int, _ members: [Member]) {
        self.version = version
        self.number = number
        self.count = count
        self.members = members
    }

    /// The parts of a set. An empty set is one empty part.
    static func parts(
        of members: some Collection<Member>, version: PresenceVersion, usersMax: Int
    ) -> [PresencePart] {
        let size = max(1, usersMax)
        let count = max(1, members.count / size + (members.count.isMultiple(of: size) ? 0 : 1))
        var rest = members[...]
        return (0..<count).map { number in
            defer { rest = rest.dropFirst(size) }
            return PresencePart(version: version, number: number, of: count, Array(rest.prefix(size)))
        }
    }
}

/// This node's own set of users in a room, as its peers hear of it: which changes they haven't heard yet.
package struct PresenceSource: Sendable {
    private struct Change: Sendable {
        /// Whether the peers take the user for present.
        var wasPresent: Bool
        var isRenamed: Bool
    }

    package private(set) var version: PresenceVersion
    private var changes: [UserID: Change] = [:]
    /// Whether the peers know of any version of this life of the room.
    private var isTold = false

    /// - Parameter start: a new reading of the node's clock.
    package init(start: HybridTime) {
        version = start.value
    }

    package var hasChanges: Bool { !changes.isEmpty }

    /// Notes that a user has come, left, or has another name.
    ///
    /// - Parameter wasPresent: whether the user was in the room on this node before.
    package mutating func note(_ user: UserID, wasPresent: Bool, isRenamed: Bool = false) {
        if changes[user] == nil { changes[user] = Change(wasPresent: wasPresent, isRenamed: false) }
        if isRenamed { changes[user]?.isRenamed = true }
    }

    /// The whole set, for a peer that asks for it.
    ///
    /// All changes must have been told before (`takeUpdate`): the set has the version that they lead to. Otherwise a
    /// user in it who comes and goes before the next update would never be told to have left.
    package func parts(of members: some Collection<Member>, usersMax: Int) -> [PresencePart] {
        precondition(changes.isEmpty, "the set has changes that no version has")
        return PresencePart.parts(of: members, version: version, usersMax: usersMax)
    }

    /// The answer of a node that doesn't have the room in memory.
    ///
    /// - Parameter time: a new reading of the node's clock: later than every version of the room's earlier lives.
    package static func empty(at time: HybridTime) -> [PresencePart] {
        PresencePart.parts(of: [], version: time.value, usersMax: 1)
    }

    /// The next update for the peers; `nil` if nothing has changed in the end. Called until it is `nil`.
    ///
    /// - Parameters:
    ///   - usersMax: the maximum number of users in it.
    ///   - member: the user as they are in the room on this node now; `nil` if they aren't.
    package mutating func takeUpdate(
        usersMax: Int, isMove: Bool = false, member: (UserID) -> Member?
    ) -> PresenceUpdate? {
        var update = PresenceUpdate(from: isTold ? version : nil, to: version + 1, isMove: isMove)
        // In a stable order, so that a simulation can be repeated.
        for user in changes.keys.sorted() {
            guard update.joined.count + update.left.count < max(1, usersMax) else { break }
            guard let change = changes.removeValue(forKey: user) else { continue }
            if let member = member(user) {
                if !change.wasPresent || change.isRenamed { update.joined.append(member) }
            } else if change.wasPresent {
                update.left.append(user)
            }
        }
        guard !update.joined.isEmpty || !update.left.isEmpty else { return nil }
        (version, isTold) = (update.to, true)
        return update
    }
}
