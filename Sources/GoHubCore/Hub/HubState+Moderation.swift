extension HubState {
    /// Performs a moderator's action on a user in a room. The edge has checked the moderator's grants.
    ///
    /// A kick takes effect immediately. A mute, a ban or a pardon is confirmed and takes effect once it is stored.
    package mutating func sanctioned(
        _ requester: Requester, _ room: RoomID, _ sanction: Sanction, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard !room.name.isDirect else {
            return actions.append(refuse(requester, .badRequest, "Direct conversations cannot be moderated."))
        }
        var sanction = sanction
        let kind: SanctionNote.Kind
        switch sanction.kind {
        case .kick: return kicked(requester, room, sanction, now: now, into: &actions)
        case .mute(let minutes):
            let minutes = min(minutes, limits.sanctionMinutesMax)
            (sanction.kind, kind) = (.mute(minutes: minutes), .mute(.seconds(60 * minutes)))
        case .ban(let minutes):
            let minutes = min(minutes, limits.sanctionMinutesMax)
            (sanction.kind, kind) = (.ban(minutes: minutes), .ban(.seconds(60 * minutes)))
        case .pardon: kind = .pardon
        }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return actions.append(
                refuse(requester, .unavailable, "The store is busy. Try again shortly.", retryAfter: 1000))
        }
        storeRequestsInFlight += 1
        let note = SanctionNote(room: room, user: sanction.user, kind, perRoomMax: limits.sanctionsPerRoomMax)
        sanctionWriter.add(SanctionWriter.Entry(requester: requester, room: room, sanction: sanction, note: note))
        storeSanctions(into: &actions)
    }

    private mutating func storeSanctions(into actions: inout [HubAction]) {
        let batch = sanctionWriter.nextBatch()
        if !batch.isEmpty { actions.append(.storeSanctions(batch)) }
    }

    /// Handles the store's answer to `.storeSanctions`.
    package mutating func sanctionsStored(
        _ result: Result<[SanctionNote.Outcome], StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let entries = sanctionWriter.completed()
        storeRequestsInFlight -= entries.count
        // Starts the next write first, so that the store works while these are processed.
        storeSanctions(into: &actions)
        if case .success(let outcomes) = result, outcomes.count == entries.count {
            for (entry, outcome) in zip(entries, outcomes) { conclude(entry, outcome, now: now, into: &actions) }
        } else {
            for entry in entries {
                rooms[entry.room]?.sanctions.doubt()
                readDoubtfulSanctions(of: entry.room, into: &actions)
                publish(.sanctionsChanged, to: .room(entry.room), now: now, into: &actions)
                actions.append(
                    refuse(
                        entry.requester, .unavailable, "The store is unavailable. Try again shortly.", retryAfter: 1000)
                )
            }
        }
        drainProgress(into: &actions)
    }

    private mutating func conclude(
        _ entry: SanctionWriter.Entry, _ outcome: SanctionNote.Outcome, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        let (requester, user) = (entry.requester, entry.sanction.user)
        switch (outcome, entry.note.kind) {
        case (.stored, .mute(let length)):
            note(RoomSanctions.Sanction(isBan: false, until: now + length), of: user, in: entry.room, now: now)
            announce(entry, now: now, into: &actions)
        case (.stored, .ban(let length)):
            note(RoomSanctions.Sanction(isBan: true, until: now + length), of: user, in: entry.room, now: now)
            announce(entry, now: now, into: &actions)
        case (.lifted, _):
            note(nil, of: user, in: entry.room, now: now)
            announce(entry, now: now, into: &actions)
        case (.banned(let left), _):
            // The ban may come from another hub and be new to this one.
            note(RoomSanctions.Sanction(isBan: true, until: now + left), of: user, in: entry.room, now: now)
            let message = "\(user) is banned here. Pardon the user before muting."
            actions.append(refuse(requester, .conflict, message))
            putOut(user, of: entry.room, "\(user) was banned", now: now, into: &actions)
        case (.notFound, _):
            note(nil, of: user, in: entry.room, now: now)
            actions.append(refuse(requester, .notFound, "\(user) is neither muted nor banned here."))
        case (.tooMany, _), (.stored, .pardon):
            actions.append(
                refuse(requester, .unavailable, "Too many users are muted or banned here. Pardon some first."))
        }
    }

    private mutating func note(
        _ sanction: RoomSanctions.Sanction?, of user: UserID, in room: RoomID, now: MonotonicTime
    ) {
        rooms[room]?.sanctions.stored(sanction, of: user, max: limits.sanctionsPerRoomMax, now: now)
    }

    private mutating func kicked(
        _ requester: Requester, _ room: RoomID, _ sanction: Sanction, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard member(sanction.user, of: room) != nil else {
            return actions.append(refuse(requester, .notFound, "\(sanction.user) is not in this room."))
        }
        let note = SanctionNote(room: room, user: sanction.user, .pardon, perRoomMax: 0)
        let entry = SanctionWriter.Entry(requester: requester, room: room, sanction: sanction, note: note)
        announce(entry, now: now, into: &actions)
    }

    /// Replies to the moderator, and notifies the room on all nodes.
    private mutating func announce(
        _ entry: SanctionWriter.Entry, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let (requester, room, sanction) = (entry.requester, entry.room, entry.sanction)
        let isByService = if case .service = requester.origin { true } else { false }
        actions.append(.moderated(Sanction.Record(room: room, sanction: sanction, isByService: isByService)))
        actions.append(reply(.notice(id: requester.id, room: room.name, text: sanction.notice), to: requester))
        takeEffect(sanction, in: room, now: now, into: &actions)
        publish(sanction, in: room, now: now, into: &actions)
    }

    /// Handles a moderator's action on another node.
    mutating func received(
        _ sanction: Sanction, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        switch sanction.kind {
        case .kick: break
        case .mute, .ban, .pardon:
            // How long it lasts is told by the store.
            rooms[room]?.sanctions.doubt()
            readDoubtfulSanctions(of: room, into: &actions)
        }
        guard rooms[room] != nil else { return }
        takeEffect(sanction, in: room, now: now, into: &actions)
    }

    /// Notifies the members on this node. Without read permission, the user's sessions leave.
    private mutating func takeEffect(
        _ sanction: Sanction, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        switch sanction.kind {
        case .kick, .ban: putOut(sanction.user, of: room, sanction.notice, now: now, into: &actions)
        case .mute, .pardon: break
        }
        deliver(.notice(id: nil, room: room.name, text: sanction.notice), in: room, into: &actions)
    }

    /// Removes all of a user's sessions from a room. The user then no longer follows it.
    mutating func putOut(
        _ user: UserID, of room: RoomID, _ reason: String, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let sessions = rooms[room]?.sessions(of: user) ?? []
        endFollowing(user, room, now: now, into: &actions)
        let event = Event.left(id: nil, room: room.name, reason: reason)
        for session in sessions {
            actions.append(.send(session, .left(room.name, event)))
            remove(session, from: room, now: now, into: &actions)
        }
    }
}

extension Sanction {
    /// The room's notice.
    fileprivate var notice: String {
        let done =
            switch kind {
            case .kick: "was kicked"
            case .mute(let minutes): "was muted for \(minutes) min"
            case .ban(let minutes): "was banned for \(minutes) min"
            case .pardon: "was pardoned"
            }
        return "\(user) \(done) by \(by.name)"
    }
}
