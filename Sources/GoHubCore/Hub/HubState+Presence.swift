internal import DequeModule

/// Who came and went in a room since its members were last told.
///
/// A change waits for a delay before it is told, together with those that come meanwhile. What counts when its time
/// has come is whether the user is there then, against what the members believe: whoever left and came back in
/// between, as in a reconnect, is not mentioned, unless somebody was shown the list of members while they were gone.
struct PresenceDelta: Sendable {
    private struct Change: Sendable {
        /// Whether there may be a member who believes that the user is here, and one who believes the contrary.
        var isBelievedPresent: Bool
        var isBelievedAbsent: Bool
        /// How often the list had been shown when the user last came or went.
        var listingsBefore: UInt64
    }

    private var changes: [UserID: Change] = [:]
    private var order: Deque<(user: UserID, due: MonotonicTime)> = []
    private var listings: UInt64 = 0
    /// The time of the one timer that counts; others are left from an earlier life of the room.
    var timerDue: MonotonicTime?

    /// When the oldest change is to be told.
    var firstDue: MonotonicTime? { order.first?.due }

    /// Somebody was shown who is here now.
    ///
    /// - Parameter user: who, where it is known: that they saw themselves, or not yet, is no news to them.
    mutating func listed(to user: UserID?) {
        listings &+= 1
        if let user { changes[user]?.listingsBefore &+= 1 }
    }

    /// A user came or went.
    mutating func note(_ user: UserID, isPresent: Bool, due: MonotonicTime) {
        guard var change = changes[user] else {
            order.append((user, due))
            changes[user] = Change(
                isBelievedPresent: !isPresent, isBelievedAbsent: isPresent, listingsBefore: listings)
            return
        }
        if change.listingsBefore != listings {
            if isPresent { change.isBelievedAbsent = true } else { change.isBelievedPresent = true }
        }
        change.listingsBefore = listings
        changes[user] = change
    }

    /// The changes whose time has come, each with what has to be told if the user is here now, and if not.
    mutating func take(
        max: Int, now: MonotonicTime
    ) -> [(user: UserID, isNewsIfPresent: Bool, isNewsIfAbsent: Bool)] {
        var taken: [(UserID, Bool, Bool)] = []
        while taken.count < max, let next = order.first, next.due <= now {
            order.removeFirst()
            guard let change = changes.removeValue(forKey: next.user) else { continue }
            taken.append((next.user, change.isBelievedAbsent, change.isBelievedPresent))
        }
        return taken
    }
}

extension HubState {
    mutating func presenceChanged(
        of user: UserID, in room: RoomID, isPresent: Bool, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let due = now + limits.presenceDelay
        let isFirst = rooms[room]?.presence.firstDue == nil
        rooms[room]?.presence.note(user, isPresent: isPresent, due: due)
        if isFirst { schedulePresence(in: room, at: due, into: &actions) }
    }

    private mutating func schedulePresence(
        in room: RoomID, at due: MonotonicTime, into actions: inout [HubAction]
    ) {
        rooms[room]?.presence.timerDue = due
        schedule(.presence(room), at: due, into: &actions)
    }

    mutating func presenceDue(
        _ id: RoomID, due: MonotonicTime, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard rooms[id]?.presence.timerDue == due else { return }
        rooms[id]?.presence.timerDue = nil
        guard let changes = rooms[id]?.presence.take(max: limits.presenceNamesMax, now: now), let room = rooms[id]
        else { return }
        if let next = room.presence.firstDue {
            // What didn't fit waits for a whole delay, so that a crowd at the door is told of at a bounded rate.
            let due = changes.count < limits.presenceNamesMax ? next : now + limits.presenceDelay
            schedulePresence(in: id, at: due, into: &actions)
        }
        let joined = changes.filter(\.isNewsIfPresent)
            .compactMap { change in room.users[change.user].map { Member(user: change.user, name: $0.name) } }
        let left = changes.filter { $0.isNewsIfAbsent && room.users[$0.user] == nil }.map(\.user)
        guard !joined.isEmpty || !left.isEmpty else { return }
        let presence = Event.Presence(room: id.name, joined: joined, left: left, count: room.users.count)
        deliver(.presence(presence), in: id, into: &actions)
    }
}
