internal import DequeModule

/// The users of a room on all other nodes, as they tell it: for each node a set with a version.
///
/// An update applies to exactly the version that it builds on. After a lost one the set is asked for, as a whole, and
/// comes in parts; updates that arrive meanwhile wait for it. So whoever has the newest version of each set has the
/// right users.
///
/// Sets end in three ways: by an update that empties them, with their node (`nodeEnded`), and when there is no space. A
/// node that lives and doesn't answer keeps its set: it is asked again, less and less often. A node answers also for a
/// room that it doesn't have any more, with an empty set.
package struct RoomPresence: Sendable {
    package enum Action: Hashable, Sendable {
        /// Ask the node for its whole set.
        case ask(NodeIncarnation)
        /// The user came to, or left, the last other node with them.
        case changed(UserID, isPresent: Bool)
    }

    /// One node's set.
    private struct PeerSet: Sendable {
        var version: PresenceVersion?
        var users: [UserID: Member] = [:]
        var confirmedAt: MonotonicTime
        /// The last unanswered question.
        var askedAt: MonotonicTime?
        var asks = 0
        var assembly: Assembly?
        /// Updates that build on versions after the known one.
        var held: [PresenceUpdate] = []
        /// Whether it was dropped for want of space.
        var isOverflow = false
    }

    /// Parts of a set that haven't all arrived.
    private struct Assembly: Sendable {
        var version: PresenceVersion
        var count: Int
        var parts: [Int: [Member]] = [:]
        var users = 0
    }

    private struct Holder: Sendable {
        /// The sets with the user, and one more while they move.
        var sets: Int
        var member: Member
    }

    private let limits: ClusterLimits
    private var sets: [NodeIncarnation: PeerSet] = [:]
    private var holders: [UserID: Holder] = [:]
    /// Entries of all sets, and of those who move.
    private var entryCount = 0
    private var bytes = 0
    /// Users between two nodes. In the order of their times, because all move for equally long.
    private var moving: Deque<(due: MonotonicTime, user: UserID)> = []

    package init(limits: ClusterLimits) {
        self.limits = limits
    }

    // MARK: Who is there

    /// Distinct users on other nodes.
    package var count: Int { holders.count }
    package var isEmpty: Bool { sets.isEmpty && moving.isEmpty }
    /// Whether a set is missing, so that the room's members are `partial`.
    package var isPartial: Bool { sets.values.contains { $0.isOverflow || ($0.version == nil && $0.asks > 0) } }

    /// The user as another node has them; `nil` for a user who isn't on one.
    package func member(_ user: UserID) -> Member? { holders[user]?.member }

    package var members: some Collection<Member> { holders.values.lazy.map(\.member) }

    package func version(of node: NodeIncarnation) -> PresenceVersion? { sets[node]?.version }

    // MARK: News

    package mutating func updated(
        _ update: PresenceUpdate, from node: NodeIncarnation, now: MonotonicTime, into actions: inout [Action]
    ) {
        guard admit(node, now: now), sets[node]?.isOverflow == false else { return }
        sets[node]?.confirmedAt = now
        if let known = sets[node]?.version, update.to <= known { return }
        guard update.from == nil || update.from == sets[node]?.version else {
            if (sets[node]?.held.count ?? 0) < limits.presenceHeldUpdatesMax { sets[node]?.held.append(update) }
            return ask(node, now: now, into: &actions)
        }
        apply(update, from: node, now: now, into: &actions)
        applyHeld(of: node, now: now, into: &actions)
    }

    package mutating func partReceived(
        _ part: PresencePart, from node: NodeIncarnation, now: MonotonicTime, into actions: inout [Action]
    ) {
        guard admit(node, now: now), (1...limits.presenceUsersMax).contains(part.count),
            (0..<part.count).contains(part.number)
        else { return }
        sets[node]?.confirmedAt = now
        if let known = sets[node]?.version, part.version < known { return }
        var assembly = sets[node]?.assembly ?? Assembly(version: part.version, count: part.count)
        if part.version < assembly.version { return }
        if part.version > assembly.version || part.count != assembly.count {
            assembly = Assembly(version: part.version, count: part.count)
        }
        if assembly.parts.updateValue(part.members, forKey: part.number) == nil { assembly.users += part.members.count }
        guard assembly.users <= limits.presenceUsersMax else { return overflow(node, into: &actions) }
        sets[node]?.assembly = assembly
        guard assembly.parts.count == assembly.count else { return }
        replace(node, assembly, now: now, into: &actions)
    }

    /// Notes the version of a node's set, which comes with other news of the room: a newer one reveals a lost update.
    package mutating func versionHeard(
        _ version: PresenceVersion, from node: NodeIncarnation, now: MonotonicTime, into actions: inout [Action]
    ) {
        guard admit(node, now: now), sets[node]?.isOverflow == false else { return }
        sets[node]?.confirmedAt = now
        if let known = sets[node]?.version, version <= known { return }
        ask(node, now: now, into: &actions)
    }

    /// Handles the end of a node: it is dead, or has said goodbye.
    ///
    /// - Parameter isMove: whether its users were sent to other nodes.
    package mutating func nodeEnded(
        _ node: NodeIncarnation, isMove: Bool = false, now: MonotonicTime, into actions: inout [Action]
    ) {
        guard let set = sets.removeValue(forKey: node) else { return }
        for user in set.users.keys.sorted() {
            if isMove { move(user, now: now) }
            release(user, bytes: Self.size(of: set.users[user]), into: &actions)
        }
    }

    // MARK: Sets

    /// - Returns: whether the node has an entry now.
    private mutating func admit(_ node: NodeIncarnation, now: MonotonicTime) -> Bool {
        if sets[node] != nil { return true }
        guard sets.count < limits.nodesMax else { return false }
        sets[node] = PeerSet(confirmedAt: now)
        return true
    }

    private mutating func apply(
        _ update: PresenceUpdate, from node: NodeIncarnation, now: MonotonicTime, into actions: inout [Action]
    ) {
        if update.from == nil {
            let stale = (sets[node]?.users ?? [:]).keys.filter { user in !update.joined.contains { $0.user == user } }
            for user in stale.sorted() { remove(user, from: node, into: &actions) }
        }
        for user in update.left {
            if update.isMove, sets[node]?.users[user] != nil { move(user, now: now) }
            remove(user, from: node, into: &actions)
        }
        for member in update.joined { add(member, to: node, into: &actions) }
        sets[node]?.version = update.to
        settle(node, now: now)
        if isFull { overflow(node, into: &actions) }
    }

    private mutating func replace(
        _ node: NodeIncarnation, _ assembly: Assembly, now: MonotonicTime, into actions: inout [Action]
    ) {
        var users: [UserID: Member] = [:]
        for member in assembly.parts.values.joined() { users[member.user] = member }
        let stale = (sets[node]?.users ?? [:]).keys.filter { users[$0] == nil }
        for user in stale.sorted() { remove(user, from: node, into: &actions) }
        for user in users.keys.sorted() { if let member = users[user] { add(member, to: node, into: &actions) } }
        sets[node]?.version = assembly.version
        sets[node]?.isOverflow = false
        settle(node, now: now)
        guard !isFull else { return overflow(node, into: &actions) }
        applyHeld(of: node, now: now, into: &actions)
    }

    /// The set is whole: nothing is asked for it.
    private mutating func settle(_ node: NodeIncarnation, now: MonotonicTime) {
        guard let version = sets[node]?.version else { return }
        if let assembly = sets[node]?.assembly, assembly.version <= version { sets[node]?.assembly = nil }
        sets[node]?.askedAt = nil
        sets[node]?.asks = 0
        sets[node]?.held.removeAll { $0.to <= version }
    }

    private mutating func applyHeld(of node: NodeIncarnation, now: MonotonicTime, into actions: inout [Action]) {
        while let index = sets[node]?.held.firstIndex(where: { $0.from == sets[node]?.version }),
            let update = sets[node]?.held.remove(at: index)
        {
            apply(update, from: node, now: now, into: &actions)
        }
        if sets[node]?.held.isEmpty == false { ask(node, now: now, into: &actions) }
    }

    private mutating func ask(_ node: NodeIncarnation, now: MonotonicTime, into actions: inout [Action]) {
        guard sets[node]?.askedAt == nil else { return }
        sets[node]?.askedAt = now
        sets[node]?.asks += 1
        actions.append(.ask(node))
    }

    private var isFull: Bool { entryCount > limits.presenceUsersMax || bytes > limits.presenceBytesMax }

    private mutating func overflow(_ node: NodeIncarnation, into actions: inout [Action]) {
        for user in (sets[node]?.users ?? [:]).keys.sorted() { remove(user, from: node, into: &actions) }
        let confirmedAt = sets[node]?.confirmedAt
        sets[node] = confirmedAt.map { PeerSet(confirmedAt: $0, isOverflow: true) }
    }

    // MARK: Users

    /// The bytes of an entry: the member's object, its texts, and its places in two dictionaries.
    private static func size(of member: Member?) -> Int {
        guard let member else { return 0 }
        return 160 + member.user.value.utf8.count + (member.isNamed ? member.name.utf8.count : 0)
    }

    private mutating func add(_ member: Member, to node: NodeIncarnation, into actions: inout [Action]) {
        let older = sets[node]?.users.updateValue(member, forKey: member.user)
        bytes += Self.size(of: member) - Self.size(of: older)
        if older == nil {
            hold(member, into: &actions)
        } else {
            holders[member.user]?.member = member
        }
    }

    private mutating func remove(_ user: UserID, from node: NodeIncarnation, into actions: inout [Action]) {
        guard let member = sets[node]?.users.removeValue(forKey: user) else { return }
        release(user, bytes: Self.size(of: member), into: &actions)
    }

    private mutating func hold(_ member: Member, into actions: inout [Action]) {
        entryCount += 1
        holders[member.user, default: Holder(sets: 0, member: member)].sets += 1
        holders[member.user]?.member = member
        if holders[member.user]?.sets == 1 { actions.append(.changed(member.user, isPresent: true)) }
    }

    private mutating func release(_ user: UserID, bytes: Int, into actions: inout [Action]) {
        entryCount -= 1
        self.bytes -= bytes
        holders[user]?.sets -= 1
        guard holders[user]?.sets == 0 else { return }
        holders[user] = nil
        actions.append(.changed(user, isPresent: false))
    }

    /// Keeps a present user for a while, whatever sets they leave.
    private mutating func move(_ user: UserID, now: MonotonicTime) {
        guard holders[user] != nil, !isFull else { return }
        holders[user]?.sets += 1
        entryCount += 1
        moving.append((now + limits.presenceMoveFor, user))
    }

    // MARK: Time

    /// The time at which `timeAdvanced` has something to do; `nil` for never.
    package var due: MonotonicTime? {
        var times = sets.values.map { set in
            set.askedAt.map { $0 + patience(after: set.asks) } ?? set.confirmedAt + limits.presenceConfirmAfter
        }
        if let first = moving.first { times.append(first.due) }
        return times.min()
    }

    /// The wait for an answer, twice as long each time.
    private func patience(after asks: Int) -> Milliseconds {
        let doubled = limits.presenceAskAgainAfter.value << UInt64(min(max(asks - 1, 0), 16))
        return min(Milliseconds(doubled), limits.presenceConfirmAfter)
    }

    package mutating func timeAdvanced(now: MonotonicTime, into actions: inout [Action]) {
        while let first = moving.first, first.due <= now {
            moving.removeFirst()
            release(first.user, bytes: 0, into: &actions)
        }
        for node in sets.keys.sorted() {
            guard let set = sets[node] else { continue }
            if let askedAt = set.askedAt {
                guard now.since(askedAt) >= patience(after: set.asks) else { continue }
                sets[node]?.askedAt = nil
                ask(node, now: now, into: &actions)
            } else if now.since(set.confirmedAt) >= limits.presenceConfirmAfter {
                if set.users.isEmpty, !set.isOverflow {
                    sets[node] = nil
                } else {
                    sets[node]?.confirmedAt = now
                    ask(node, now: now, into: &actions)
                }
            }
        }
    }
}
