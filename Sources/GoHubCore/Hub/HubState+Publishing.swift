extension HubState {
    /// Somebody sends a message into a room.
    ///
    /// A durable one goes to the store first, and is acknowledged and delivered when it comes back through `stored`.
    /// Whether the sender may write there is the edge's to know; who is muted, the room's.
    public mutating func published(_ publication: Publication, now: MonotonicTime) -> [HubAction] {
        let draft = publication.draft
        if let sanction = rooms[draft.room]?.sanctions[draft.from.user], now < sanction.until {
            let left = sanction.until.since(now)
            return [refuse(publication.requester, .forbidden, "you are muted in this room", retryAfter: left)]
        }
        if publication.isEphemeral { return deliverEphemeral(publication) }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return [refuse(publication.requester, .unavailable, "the store is busy", retryAfter: 1000)]
        }
        storeRequestsInFlight += 1
        return [.append(publication)]
    }

    /// The store has answered an `.append`. Messages of one room come back in the order of their offsets.
    public mutating func stored(
        _ publication: Publication, _ outcome: AppendOutcome, now: MonotonicTime
    ) -> [HubAction] {
        storeRequestsInFlight -= 1
        let draft = publication.draft
        func ack(_ position: Position, _ at: WallTime, isDuplicate: Bool) -> HubAction {
            let ack = Event.Ack(
                id: draft.id, room: draft.room.name, position: position, at: at, isDuplicate: isDuplicate)
            return reply(.ack(ack), to: publication.requester)
        }
        switch outcome {
        case .failed:
            return [
                refuse(publication.requester, .unavailable, "the message could not be stored", retryAfter: 1000)
            ]
        case .duplicate(let position, let at):
            // Stored by an attempt whose answer was lost: the members were never told.
            let head = rooms[draft.room]?.head
            let isNews = head.map { $0.epoch == position.epoch && $0.offset < position.offset } ?? false
            return [ack(position, at, isDuplicate: true)] + (isNews ? startOver(draft.room, now: now) : [])
        case .stored(let position, let at):
            let message = StoredMessage(
                offset: position.offset, id: draft.id, from: draft.from, at: at, text: draft.text,
                replyTo: draft.replyTo)
            let advance = rooms[draft.room]?.advance(to: message, epoch: position.epoch, limits: limits) ?? .isNext
            var actions: [HubAction] = []
            if draft.room.name.isDirect {
                // It has no members who could know it already, or start over.
                let event = Event.directMessage(room: draft.room.name, epoch: position.epoch, message)
                actions = deliver(event, in: draft.room)
            } else if advance == .isNext {
                actions = deliver(.message(room: draft.room.name, message), in: draft.room)
            }
            actions.append(ack(position, at, isDuplicate: false))
            // After the ack: the sender may be one of those who are closed.
            return advance == .breaksOff ? actions + startOver(draft.room, now: now) : actions
        }
    }

    private func deliverEphemeral(_ publication: Publication) -> [HubAction] {
        let draft = publication.draft
        let message = EphemeralMessage(id: draft.id, from: draft.from, at: draft.receivedAt, text: draft.text)
        let ack = Event.Ack(
            id: draft.id, room: draft.room.name, position: nil, at: draft.receivedAt, isDuplicate: false)
        return deliver(.ephemeral(room: draft.room.name, message), in: draft.room)
            + [reply(.ack(ack), to: publication.requester)]
    }

    /// Somebody types, or has stopped to. Who is muted does so unseen.
    public func typed(_ member: Member, _ room: RoomID, active: Bool, now: MonotonicTime) -> [HubAction] {
        if let sanction = rooms[room]?.sanctions[member.user], now < sanction.until { return [] }
        return deliver(.typing(room: room.name, user: member.user, active: active), in: room)
    }

    /// To the room's members, or to all devices of the two users of a direct conversation.
    func deliver(_ event: Event, in room: RoomID) -> [HubAction] {
        if let (first, second) = room.name.participants {
            let users = first == second ? [first] : [first, second]
            return users.map { .forward(.userAddressed(UserKey(tenant: room.tenant, user: $0), event)) }
        }
        guard let edges = rooms[room]?.edges, !edges.isEmpty else { return [] }
        return [.deliver(event, room, edges)]
    }
}
