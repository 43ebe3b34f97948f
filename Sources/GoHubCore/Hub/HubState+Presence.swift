internal import DequeModule

/// Who came and went in a room since its members were last told.
///
/// A change waits for a delay before it is told, together with those that come meanwhile. What counts when its time
/// has come is whether the user is there then, against what was told last: whoever left and came back in between, as
/// in a reconnect, is never mentioned.
struct PresenceDelta: Sendable {
    private struct Change: Sendable {
        var user: UserID
        var due: MonotonicTime
    }

    private var toldPresent: [UserID: Bool] = [:]
    private var changes: Deque<Change> = []

    /// When the oldest change is to be told.
    var firstDue: MonotonicTime? { changes.first?.due }

    mutating func note(_ user: UserID, wasPresent: Bool, due: MonotonicTime) {
        guard toldPresent[user] == nil else { return }
        toldPresent[user] = wasPresent
        changes.append(Change(user: user, due: due))
    }

    /// The changes whose time has come, each with what the members were told last.
    mutating func take(max: Int, now: MonotonicTime) -> [(user: UserID, wasPresent: Bool)] {
        var taken: [(UserID, Bool)] = []
        while taken.count < max, let change = changes.first, change.due <= now {
            changes.removeFirst()
            if let told = toldPresent.removeValue(forKey: change.user) { taken.append((change.user, told)) }
        }
        return taken
    }
}

extension HubState {
    mutating func presenceChanged(
        of user: UserID, in room: RoomID, wasPresent: Bool, now: MonotonicTime
    ) -> [HubAction] {
        let due = now + limits.presenceDelay
        let isFirst = rooms[room]?.presence.firstDue == nil
        rooms[room]?.presence.note(user, wasPresent: wasPresent, due: due)
        return isFirst ? schedule(.presence(room), at: due) : []
    }

    mutating func presenceDue(_ id: RoomID, now: MonotonicTime) -> [HubAction] {
        guard let changes = rooms[id]?.presence.take(max: limits.presenceNamesMax, now: now), let room = rooms[id]
        else { return [] }
        var actions: [HubAction] = []
        if let next = room.presence.firstDue {
            // What didn't fit waits for a whole delay, so that a crowd at the door is told of at a bounded rate.
            let due = changes.count < limits.presenceNamesMax ? next : now + limits.presenceDelay
            actions += schedule(.presence(id), at: due)
        }
        let joined = changes.filter { !$0.wasPresent }
            .compactMap { change in room.users[change.user].map { Member(user: change.user, name: $0.name) } }
        let left = changes.filter { $0.wasPresent && room.users[$0.user] == nil }.map(\.user)
        guard !joined.isEmpty || !left.isEmpty else { return actions }
        let presence = Event.Presence(room: id.name, joined: joined, left: left, count: room.users.count)
        return actions + deliver(.presence(presence), in: id)
    }
}
