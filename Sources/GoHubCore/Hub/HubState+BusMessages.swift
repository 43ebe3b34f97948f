/// What a shard hears of other nodes. Nothing here is believed beyond what the store says: an entry goes to the members
/// only after those before it, and what is missing is read.
extension HubState {
    /// Handles another node's message to a topic of this shard, or to this node about a room or a user of this shard.
    package mutating func received(_ frame: ClusterFrame, now: MonotonicTime, into actions: inout [HubAction]) {
        bus.clock.heard(frame.time)
        switch frame.topic {
        case .room(let room): received(frame, in: room, now: now, into: &actions)
        case .user(let user):
            if case .claim(let claim) = frame.message {
                guard claim.key.user == user else { return }
                received(claim, from: frame.from, now: now, into: &actions)
            } else {
                received(frame.message, for: user, now: now, into: &actions)
            }
        case .node:
            switch frame.message {
            case .claimAnswered(let answer): received(answer, from: frame.from, now: now, into: &actions)
            case .presencePart(let room, _), .presenceWantedOf(let room):
                receivedPresence(frame.message, of: room, from: frame.from, now: now, into: &actions)
            default: break
            }
        case .all: break
        }
    }

    private mutating func received(
        _ frame: ClusterFrame, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard !room.name.isDirect else { return }
        switch frame.message {
        case .entries(let batch):
            received(batch, in: room, now: now, into: &actions)
            if let version = batch.presence {
                presenceIs(version, of: room, from: frame.from, now: now, into: &actions)
            }
        case .head(let position):
            if rooms[room]?.head == nil { noteEarly(position, of: room) }
            if rooms[room]?.head?.epoch == position.epoch {
                heardOf(position, in: room, readAfter: cluster.settleDelay, now: now, into: &actions)
            } else {
                otherEpoch(of: room, now: now, into: &actions)
            }
        case .ephemeral(let content, let at): deliver(.ephemeral(content, in: room.name, at), in: room, into: &actions)
        case .typed(let user, let isActive):
            guard !isMuted(user, in: room, now: now) else { return }
            deliver(.typing(room: room.name, user: user, active: isActive), in: room, into: &actions)
        case .receipts(let epoch, let receipts): received(receipts, epoch, in: room, now: now, into: &actions)
        case .moderated(let sanction): received(sanction, in: room, now: now, into: &actions)
        case .sanctionsChanged:
            rooms[room]?.sanctions.doubt()
            readDoubtfulSanctions(of: room, into: &actions)
        case .inDoubt(let user, let id):
            lookFor(CatchUp.Key(user: user, id: id), in: room, now: now, into: &actions)
        case .presence, .presenceIs, .presenceWanted:
            receivedPresence(frame.message, of: room, from: frame.from, now: now, into: &actions)
        case .beat, .bye, .returned, .ask, .reply, .claimAnswered, .presencePart, .presenceWantedOf, .claim, .direct,
            .directEphemeral, .directTyped, .directReceipts:
            // Of another topic.
            break
        }
    }

    private mutating func received(
        _ message: ClusterMessage, for user: UserKey, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        switch message {
        case .direct(let name, let batch): receivedDirect(name, batch, for: user, now: now, into: &actions)
        case .directEphemeral(let name, let content, let at):
            userAddressed(user, .ephemeral(content, in: name, at), into: &actions)
        case .directTyped(let name, let typist, let isActive):
            userAddressed(user, .typing(room: name, user: typist, active: isActive), into: &actions)
        case .directReceipts(let name, let epoch, let receipts):
            tellReceipts(receipts, epoch, in: name, to: user, into: &actions)
        case .beat, .bye, .returned, .ask, .reply, .claimAnswered, .presencePart, .presenceWantedOf, .claim, .entries,
            .head, .ephemeral,
            .typed, .receipts, .presence, .presenceIs, .presenceWanted, .moderated, .sanctionsChanged, .inDoubt:
            break
        }
    }

    // MARK: Rooms

    private mutating func received(
        _ batch: RoomEntries, in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let head = rooms[id]?.head else {
            if let last = batch.entries.last { noteEarly(Position(epoch: batch.epoch, offset: last.offset), of: id) }
            return
        }
        guard head.epoch == batch.epoch else { return otherEpoch(of: id, now: now, into: &actions) }
        for entry in batch.entries {
            guard let head = rooms[id]?.head, entry.offset > head.offset else { continue }
            if entry.offset - 1 == head.offset {
                guard deliverNext(entry, head.epoch, in: id, now: now, into: &actions),
                    deliverHeld(in: id, now: now, into: &actions)
                else { return resync(id, now: now, into: &actions) }
            } else {
                _ = catchUps[id, default: CatchUp(limits, cluster)].held
                    .arrived(entry, batch.epoch, head: head, budget: &holdBudget)
            }
        }
        settle(id, now: now, into: &actions)
    }

    /// Notes what is heard of a room before the page of its first join has come: the page may be older.
    private mutating func noteEarly(_ position: Position, of id: RoomID) {
        guard rooms[id]?.isInUse == true else { return }
        if let known = bus.early[id], known.epoch == position.epoch, known.offset >= position.offset { return }
        bus.early[id] = position
    }

    /// Handles the first page of a room: reads what was heard of since.
    mutating func readEarly(of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard !bus.early.isEmpty, let position = bus.early.removeValue(forKey: id) else { return }
        if rooms[id]?.head?.epoch == position.epoch {
            heardOf(position, in: id, readAfter: cluster.settleDelay, now: now, into: &actions)
        } else {
            otherEpoch(of: id, now: now, into: &actions)
        }
    }

    /// After entries that came by the bus: resumes what has waited for them, and reads what is still missing.
    private mutating func settle(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard catchUps[id] != nil else { return }
        headMoved(of: id, now: now, into: &actions)
        guard let head = rooms[id]?.head, let catchUp = catchUps[id] else { return }
        if catchUp.held.lag(behind: head) > cluster.lagEntriesMax { return resync(id, now: now, into: &actions) }
        if catchUp.held.missing(after: head) != nil {
            // Perhaps it is only late.
            readLater(id, at: now + cluster.holdDelay, into: &actions)
        } else if !catchUp.isReading, catchUp.isComplete(at: head) {
            endCatchUp(id, into: &actions)
        }
    }

    /// Another node is in another epoch. Which of the two is the room's now is decided by the page.
    private mutating func otherEpoch(of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard rooms[id]?.head != nil else { return }
        catchUp(id, now: now, into: &actions)
    }

    private mutating func received(
        _ receipts: [UserReceipt], _ epoch: Epoch, in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let head = rooms[id]?.head, head.epoch == epoch else { return }
        let newest = receipts.map(\.receipt.delivered).max() ?? 0
        if newest > head.offset {
            // They are of entries that are still on their way.
            heardOf(
                Position(epoch: epoch, offset: newest), in: id, readAfter: cluster.holdDelay, now: now, into: &actions)
            for receipt in receipts where receipt.receipt.delivered > head.offset {
                _ = catchUps[id]?.receivedReceipts.arrived(receipt, epoch, head: head)
            }
        }
        mergeReceipts(receipts, of: id, into: &actions)
    }

    // MARK: Direct conversations

    /// Delivers entries of a direct conversation to one of its users. Each of the two has a topic, and devices put the
    /// entries in order.
    private mutating func receivedDirect(
        _ name: RoomName, _ batch: RoomEntries, for user: UserKey, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard name.participants.map({ $0 == user.user || $1 == user.user }) == true, let last = batch.entries.last
        else { return }
        for entry in batch.entries {
            userAddressed(user, .directMessage(room: name, epoch: batch.epoch, entry), into: &actions)
        }
        let room = RoomID(tenant: user.tenant, name: name)
        bus.directEntries.note(batch, in: room, for: user.user, now: now, limits: cluster)
        actions.append(.forward(.directReceived(room, Position(epoch: batch.epoch, offset: last.offset))))
    }

    /// Handles the news that another node has stored entries of a conversation up to a position. What this shard keeps
    /// of it in memory is older.
    package mutating func directReceived(_ room: RoomID, _ position: Position) {
        guard let head = rooms[room]?.head, head.epoch != position.epoch || head.offset < position.offset else {
            return
        }
        forget(room)
    }
}

extension Event {
    fileprivate static func ephemeral(_ content: MessageContent, in room: RoomName, _ at: WallTime) -> Event {
        .ephemeral(room: room, Event.Ephemeral(id: content.id, from: content.from, at: at, text: content.text))
    }
}
