/// Presence over all nodes: see `ClusterPresence`, and `RoomPresence` for the rules.
///
/// ```
/// first session of a user ─► source ─► update on the room's topic ─► RoomPresence of the other nodes ─► their members
/// first member here       ─► presenceWanted on the room's topic ─► parts to this node
/// ```
extension HubState {
    // MARK: This node's users

    /// A user's first session has come to the room on this node, or the last one has left.
    ///
    /// - Returns: whether the user is on another node, so that nothing has changed for the members.
    mutating func localPresenceChanged(
        of user: UserID, in room: RoomID, isPresent: Bool, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        guard claims != nil else { return false }
        if bus.presence[room] == nil {
            bus.presence[room] = ClusterPresence(start: bus.clock.next(now: now), limits: cluster)
        }
        bus.presence[room]?.source.note(user, wasPresent: !isPresent)
        tellPresenceSoon(of: room, now: now, into: &actions)
        guard bus.presence[room]?.others.member(user) != nil else { return false }
        bus.presence[room]?.overlap += isPresent ? 1 : -1
        return true
    }

    private mutating func tellPresenceSoon(of room: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard bus.presence[room]?.isTelling == false else { return }
        bus.presence[room]?.isTelling = true
        schedule(.clusterPresence(room), at: now + cluster.presenceTellAfter, into: &actions)
    }

    mutating func clusterPresenceDue(_ room: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard bus.presence[room]?.isTelling == true else { return }
        bus.presence[room]?.isTelling = false
        publishPresence(of: room, now: now, into: &actions)
    }

    /// Publishes what has changed since the last update. Without a link it waits for the next one.
    private mutating func publishPresence(of room: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard bus.subscriptions.isLinked else { return }
        let users = rooms[room]?.users ?? [:]
        let isMove = if case .none = drain { false } else { true }
        while let update = bus.presence[room]?.source.takeUpdate(
            usersMax: cluster.presencePartUsersMax, isMove: isMove,
            member: { user in users[user].map { Member(user: user, name: $0.name) } })
        {
            publish(.presence(update), to: .room(room), now: now, into: &actions)
        }
    }

    /// Tells the version of this node's users, so that the others notice a lost update.
    mutating func announcePresence(of rooms: [RoomID], now: MonotonicTime, into actions: inout [HubAction]) {
        for room in rooms {
            guard let source = bus.presence[room]?.source, !source.hasChanges else { continue }
            publish(.presenceIs(source.version), to: .room(room), now: now, into: &actions)
        }
    }

    /// Tells a node this node's users in the room, all of them; none if the room isn't in memory.
    private mutating func publishParts(
        of room: RoomID, to node: NodeIncarnation, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard bus.subscriptions.isLinked else { return }
        publishPresence(of: room, now: now, into: &actions)
        let members = (rooms[room]?.users ?? [:]).map { Member(user: $0.key, name: $0.value.name) }
        let parts =
            bus.presence[room]?.source.parts(
                of: members.sorted { $0.user < $1.user }, usersMax: cluster.presencePartUsersMax)
            ?? PresenceSource.empty(at: bus.clock.next(now: now))
        for part in parts { publish(.presencePart(room, part), to: .node(node), now: now, into: &actions) }
    }

    /// The room isn't in memory any more.
    mutating func forgetPresence(of room: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard bus.presence[room] != nil else { return }
        publishPresence(of: room, now: now, into: &actions)
        bus.presence[room] = nil
    }

    // MARK: The others' users

    /// The node hears the room from now on.
    mutating func askForPresence(of room: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard bus.subscriptions.isLinked, rooms[room] != nil else { return }
        if bus.presence[room] == nil {
            bus.presence[room] = ClusterPresence(start: bus.clock.next(now: now), limits: cluster)
        }
        bus.presence[room]?.asked()
        bus.lastNumber += 1
        bus.presenceQuestions[bus.lastNumber] = room
        actions.append(
            .bus(
                .publish(.presenceWanted, to: .room(room), number: bus.lastNumber, at: bus.clock.next(now: now))))
        publishPresence(of: room, now: now, into: &actions)
        timePresence(of: room, now: now, into: &actions)
    }

    mutating func receivedPresence(
        _ message: ClusterMessage, of room: RoomID, from node: NodeIncarnation, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard !bus.ended.contains(node) else { return }
        switch message {
        case .presenceWanted, .presenceWantedOf: publishParts(of: room, to: node, now: now, into: &actions)
        case .presence(let update):
            changePresence(of: room, now: now, into: &actions) {
                $0.others.updated(update, from: node, now: now, into: &$1)
            }
        case .presenceIs(let version): presenceIs(version, of: room, from: node, now: now, into: &actions)
        case .presencePart(_, let part):
            changePresence(of: room, now: now, into: &actions) {
                $0.others.partReceived(part, from: node, now: now, into: &$1)
                if part.number == part.count - 1 { $0.noteAnswer(of: node) }
            }
        default: break
        }
    }

    mutating func presenceIs(
        _ version: PresenceVersion, of room: RoomID, from node: NodeIncarnation, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard !bus.ended.contains(node) else { return }
        changePresence(of: room, now: now, into: &actions) {
            $0.others.versionHeard(version, from: node, now: now, into: &$1)
        }
    }

    /// Handles the nodes that are known now: the users of those that have ended aren't present any more.
    mutating func nodesChanged(
        from old: Set<NodeIncarnation>, to known: Set<NodeIncarnation>, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        let nodes = old.subtracting(known)
        bus.ended.formUnion(nodes)
        bus.ended.subtract(known)
        if bus.ended.count > cluster.nodesMax { bus.ended = nodes }
        guard !nodes.isEmpty else { return }
        for room in bus.presence.keys.sorted() {
            changePresence(of: room, now: now, into: &actions) { presence, changes in
                for node in nodes.sorted() { presence.others.nodeEnded(node, now: now, into: &changes) }
            }
        }
    }

    mutating func othersPresenceDue(
        _ room: RoomID, due: MonotonicTime, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard bus.presence[room]?.due == due else { return }
        bus.presence[room]?.due = nil
        changePresence(of: room, now: now, into: &actions) {
            $0.endAsking()
            $0.others.timeAdvanced(now: now, into: &$1)
        }
    }

    private mutating func changePresence(
        of room: RoomID, now: MonotonicTime, into actions: inout [HubAction],
        _ body: (inout ClusterPresence, inout [RoomPresence.Action]) -> Void
    ) {
        guard let index = bus.presence.index(forKey: room) else { return }
        var changes: [RoomPresence.Action] = []
        body(&bus.presence.values[index], &changes)
        for change in changes {
            switch change {
            case .ask(let node): publish(.presenceWantedOf(room), to: .node(node), now: now, into: &actions)
            case .changed(let user, let isPresent):
                if rooms[room]?.users[user] != nil {
                    bus.presence[room]?.overlap += isPresent ? 1 : -1
                } else {
                    presenceChanged(of: user, in: room, isPresent: isPresent, now: now, into: &actions)
                }
            }
        }
        timePresence(of: room, now: now, into: &actions)
    }

    private mutating func timePresence(of room: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let presence = bus.presence[room] else { return }
        var due = presence.others.due
        if presence.isPartial { due = min(due ?? .never, now + cluster.presenceAskAgainAfter) }
        guard let due, presence.due.map({ due < $0 }) ?? true else { return }
        bus.presence[room]?.due = due
        schedule(.othersPresence(room), at: due, into: &actions)
    }

    // MARK: Who is present

    /// The user as they are in the room on any node; `nil` for one who is not.
    func member(_ user: UserID, of room: RoomID) -> Member? {
        if let local = rooms[room]?.users[user] { return Member(user: user, name: local.name) }
        return bus.presence[room]?.others.member(user)
    }

    /// Distinct users in the room on all nodes.
    func userCount(of room: RoomID) -> Int {
        let local = rooms[room]?.users.count ?? 0
        guard let presence = bus.presence[room] else { return local }
        return local + presence.others.count - presence.overlap
    }
}

extension MonotonicTime {
    fileprivate static let never = MonotonicTime(nanoseconds: .max)
}
