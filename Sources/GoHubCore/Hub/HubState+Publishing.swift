extension HubState {
    /// Handles a message to a room, or a change request for one.
    ///
    /// A durable message goes to the store first and is acknowledged and delivered when it comes back through `stored`.
    /// The edge has checked the sender's grants; this checks mutes.
    package mutating func published(
        _ appendRequest: AppendRequest, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        if let refusal = refusalToWrite(appendRequest, now: now) { return actions.append(refusal) }
        if appendRequest.isEphemeral { return deliverEphemeral(appendRequest, now: now, into: &actions) }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return actions.append(
                refuse(appendRequest.requester, .unavailable, "The store is busy. Try again shortly.", retryAfter: 1000)
            )
        }
        storeRequestsInFlight += 1
        actions.append(.append(appendRequest))
    }

    /// Handles the store's answer to an `.append`. Messages of one room come back in the order of their offsets.
    package mutating func stored(
        _ appendRequest: AppendRequest, _ outcome: AppendOutcome, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        storeRequestsInFlight -= 1
        let draft = appendRequest.draft
        func ack(_ position: Position, _ at: WallTime, isDuplicate: Bool) -> HubAction {
            let ack = Event.Ack(
                id: draft.id, room: draft.room.name, position: position, at: at, isDuplicate: isDuplicate)
            return reply(.ack(ack), to: appendRequest.requester)
        }
        func delivered(_ message: StoredMessage, _ position: Position) {
            let advance = deliver(message, position.epoch, of: draft.room, into: &actions)
            actions.append(ack(position, message.at, isDuplicate: false))
            publishLater(message, position.epoch, of: draft.room)
            if advance.mustFlushReceipt {
                sent(in: draft.room, position, by: draft.from.user, advance, now: now, into: &actions)
            }
            outOfTurn(message, advance)
        }
        /// Performed after the ack, because the sender may be among the closed sessions.
        func outOfTurn(_ entry: StoredMessage, _ advance: Room.Advance) {
            switch advance {
            case .next, .alreadyCovered: break
            case .ahead: storedAhead(entry, in: draft.room, now: now, into: &actions)
            case .otherEpoch: resync(draft.room, now: now, into: &actions)
            }
        }
        switch outcome {
        case .failed(let error):
            let message =
                draft.changeRequest == nil
                ? "The message could not be stored. Send it again." : "The change could not be stored. Send it again."
            actions.append(refuse(appendRequest.requester, .unavailable, message, retryAfter: 1000))
            if error.mayBeStored { outcomeUnknown(of: draft, now: now, into: &actions) }
        case .duplicate(let position, let at):
            actions.append(ack(position, at, isDuplicate: true))
            if draft.changeRequest == nil {
                sentUnseen(draft.room, position, by: draft.from.user, now: now, into: &actions)
            }
            repeated(draft, at: position, now: now, into: &actions)
            publishHead(position, of: draft.room, now: now, into: &actions)
        case .stored(let position, let at):
            delivered(StoredMessage(offset: position.offset, at: at, draft.content), position)
        case .attached(let position, let at, let files):
            delivered(StoredMessage(offset: position.offset, at: at, files, of: draft), position)
        case .applied(let position, let at, let change):
            // A change is no receipt of its sender: a reaction may refer to an old message.
            let entry = StoredMessage(offset: position.offset, at: at, change, of: draft)
            let advance = deliver(entry, position.epoch, of: draft.room, into: &actions)
            actions.append(ack(position, at, isDuplicate: false))
            publishLater(entry, position.epoch, of: draft.room)
            outOfTurn(entry, advance)
        case .unchanged, .refused: answeredOnly(appendRequest, outcome, into: &actions)
        }
    }

    /// Delivers a stored message to its recipients.
    mutating func deliver(
        _ message: StoredMessage, _ epoch: Epoch, of room: RoomID, into actions: inout [HubAction]
    ) -> Room.Advance {
        // Of a room that isn't in memory.
        var advance = Room.Advance.next(for: [], mustFlushReceipt: true)
        let isDirect = room.name.isDirect
        if let index = rooms.index(forKey: room) {
            advance = rooms.values[index].advance(to: message, epoch: epoch, isDirect: isDirect, limits: limits)
        }
        if isDirect {
            // A direct conversation has no members that could already have the message or need a resync.
            deliver(.directMessage(room: room.name, epoch: epoch, message), in: room, into: &actions)
        } else if case .next(let edges, _) = advance, !edges.isEmpty {
            actions.append(.deliver(.message(room: room.name, message), room, edges))
        }
        return advance
    }

    private mutating func deliverEphemeral(
        _ appendRequest: AppendRequest, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let draft = appendRequest.draft
        let message = Event.Ephemeral(id: draft.id, from: draft.from, at: draft.receivedAt, text: draft.text)
        let ack = Event.Ack(
            id: draft.id, room: draft.room.name, position: nil, at: draft.receivedAt, isDuplicate: false)
        deliver(.ephemeral(room: draft.room.name, message), in: draft.room, into: &actions)
        publish(
            .ephemeral(draft.content, at: draft.receivedAt),
            direct: { .directEphemeral($0, draft.content, at: draft.receivedAt) }, in: draft.room, now: now,
            into: &actions)
        actions.append(reply(.ack(ack), to: appendRequest.requester))
    }

    /// Handles a typing indicator. Typing by a muted user is not shown.
    package mutating func typed(
        _ member: Member, _ room: RoomID, active: Bool, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard !isMuted(member.user, in: room, now: now) else { return }
        deliver(.typing(room: room.name, user: member.user, active: active), in: room, into: &actions)
        publish(
            .typed(member.user, isActive: active), direct: { .directTyped($0, member.user, isActive: active) },
            in: room, now: now, into: &actions)
    }

    /// Delivers to the room's members, or to all devices of the two users of a direct conversation.
    func deliver(_ event: Event, in room: RoomID, into actions: inout [HubAction]) {
        if let (first, second) = room.name.participants {
            actions.append(.forward(.userAddressed(UserKey(tenant: room.tenant, user: first), event)))
            guard first != second else { return }
            actions.append(.forward(.userAddressed(UserKey(tenant: room.tenant, user: second), event)))
        } else if let edges = rooms[room]?.edges, !edges.isEmpty {
            actions.append(.deliver(event, room, edges))
        }
    }
}
