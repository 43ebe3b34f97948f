extension HubState {
    /// A moderator acts on a user in a room. Whether they may is the edge's to know, from their grants.
    public mutating func sanctioned(
        _ requester: Requester, _ room: RoomID, _ sanction: Sanction, now: MonotonicTime
    ) -> [HubAction] {
        let sessions = rooms[room]?.sessions(of: sanction.user) ?? []
        let done: String
        switch sanction.kind {
        case .kick:
            guard !sessions.isEmpty else {
                return [refuse(requester, .notFound, "\(sanction.user) is not in this room")]
            }
            done = "was kicked"
        case .mute(let minutes):
            let minutes = min(minutes, limits.sanctionMinutesMax)
            guard impose(minutes, isBan: false, on: sanction.user, in: room, now: now) else {
                return [refuse(requester, .unavailable, "too many users are muted or banned here")]
            }
            done = "was muted for \(minutes) min"
        case .ban(let minutes):
            let minutes = min(minutes, limits.sanctionMinutesMax)
            guard impose(minutes, isBan: true, on: sanction.user, in: room, now: now) else {
                return [refuse(requester, .unavailable, "too many users are muted or banned here")]
            }
            done = "was banned for \(minutes) min"
        case .pardon:
            guard rooms[room]?.sanctions.removeValue(forKey: sanction.user) != nil else {
                return [refuse(requester, .notFound, "\(sanction.user) is neither muted nor banned here")]
            }
            forgetIfIdle(room)
            done = "was pardoned"
        }
        let text = "\(sanction.user) \(done) by \(sanction.by.name)"
        var actions: [HubAction] = [reply(.notice(id: requester.id, room: room.name, text: text), to: requester)]
        if sanction.kind.removesFromRoom {
            let event = Event.left(id: nil, room: room.name, reason: text)
            for session in sessions {
                actions.append(.tell(session, .left(room.name, event)))
                actions += remove(session, from: room, now: now)
            }
        }
        return actions + deliver(.notice(id: nil, room: room.name, text: text), in: room)
    }

    /// What a mute or a ban takes from a user in a room now.
    public func withheld(from user: UserID, in room: RoomID, now: MonotonicTime) -> Permissions {
        guard let sanction = rooms[room]?.sanctions[user], now < sanction.until else { return [] }
        return sanction.isBan ? .all : .write
    }

    private mutating func impose(
        _ minutes: UInt64, isBan: Bool, on user: UserID, in room: RoomID, now: MonotonicTime
    ) -> Bool {
        var sanctions = rooms[room]?.sanctions ?? [:]
        if sanctions.count >= limits.sanctionsPerRoomMax { sanctions = sanctions.filter { now < $0.value.until } }
        guard sanctions.count < limits.sanctionsPerRoomMax || sanctions[user] != nil else { return false }
        // A ban says more than a mute, which must not lift it.
        if !isBan, let known = sanctions[user], known.isBan, now < known.until { return true }
        let length = Milliseconds.seconds(60 * minutes)
        sanctions[user] = RoomSanction(isBan: isBan, until: now + length)
        rooms[room, default: Room()].sanctions = sanctions
        return true
    }
}

extension Sanction.Kind {
    fileprivate var removesFromRoom: Bool {
        switch self {
        case .kick, .ban: true
        case .mute, .pardon: false
        }
    }
}
