internal import DequeModule

/// Presence changes of a room since its members were last notified.
///
/// A change waits for a delay and is sent together with later changes. When the delay expires, the current state is
/// compared with the state that members believe. A user who left and rejoined in between, as in a reconnect, produces
/// no event, unless the list of members or their number was sent to somebody in between.
struct PresenceDelta: Sendable {
    private struct Change: Sendable {
        /// Whether some member may believe that the user is present while another believes the contrary.
        var isBelievedPresent: Bool
        var isBelievedAbsent: Bool
        /// The number of listings sent when the user last joined or left.
        var listingsBefore: UInt64
    }

    private var changes: [UserID: Change] = [:]
    private var order: Deque<(user: UserID, due: MonotonicTime)> = []
    private var listings: UInt64 = 0
    /// The time of the only valid timer; others are left over from an earlier life of the room.
    var timerDue: MonotonicTime?

    /// The time at which the oldest change must be sent.
    var firstDue: MonotonicTime? { order.first?.due }

    /// Notes that the list of present users, or their number, was sent to somebody.
    ///
    /// - Parameter user: the recipient, if known. Their own presence is no news to them.
    mutating func listed(to user: UserID?) {
        listings &+= 1
        if let user { changes[user]?.listingsBefore &+= 1 }
    }

    /// Notes that a user joined or left.
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

    /// The changes that are due, each with the event to send if the user is present now, and if not.
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
            // Changes that did not fit wait for a full delay, so that even a crowd is announced at a bounded rate.
            let due = changes.count < limits.presenceNamesMax ? next : now + limits.presenceDelay
            schedulePresence(in: id, at: due, into: &actions)
        }
        let joined = changes.filter(\.isNewsIfPresent)
            .compactMap { member($0.user, of: id) }
        let left = changes.filter { $0.isNewsIfAbsent && member($0.user, of: id) == nil }.map(\.user)
        guard !joined.isEmpty || !left.isEmpty else { return }
        let presence = Event.Presence(room: id.name, joined: joined, left: left, count: userCount(of: id))
        deliver(.presence(presence), in: id, into: &actions)
        // The count includes changes that aren't due yet. If they are undone, the members need another count.
        rooms[id]?.presence.listed(to: nil)
    }
}
