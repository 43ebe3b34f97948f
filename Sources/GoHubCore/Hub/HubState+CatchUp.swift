/// Reads and delivers missing entries: see `CatchUp`. `HubState+Waiting` holds the joins and receipts that need them.
extension HubState {
    /// The delay after a failed read.
    private static let catchUpRetry: Milliseconds = 1000

    /// Handles an append whose outcome is unknown.
    mutating func outcomeUnknown(of draft: MessageDraft, now: MonotonicTime, into actions: inout [HubAction]) {
        if !draft.room.name.isDirect {
            publish(.inDoubt(draft.from.user, draft.id), to: .room(draft.room), now: now, into: &actions)
        }
        lookFor(CatchUp.Key(user: draft.from.user, id: draft.id), in: draft.room, now: now, into: &actions)
    }

    /// Looks in the store for an entry that may be stored, now and for a minute.
    mutating func lookFor(
        _ key: CatchUp.Key, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        // If the room has no members, whoever joins reads the store.
        guard room.name.isDirect || rooms[room]?.head != nil else { return }
        guard catchUps[room] != nil || catchUps.count < limits.storeRequestsInFlightMax else { return }
        catchUps[room, default: CatchUp(limits, cluster)].doubt(key)
        catchUp(room, now: now, into: &actions)
    }

    /// Handles an entry that the store returned ahead of entries that were not delivered.
    mutating func storedAhead(
        _ entry: StoredMessage, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let head = rooms[room]?.head else { return }
        // An entry that doesn't fit is read from the store with the missing ones.
        _ = catchUps[room, default: CatchUp(limits, cluster)].held
            .arrived(entry, head.epoch, head: head, budget: &holdBudget)
        // The missing entries are on their way by the bus, if it works.
        if !mustPoll { return readLater(room, at: now + cluster.holdDelay, into: &actions) }
        catchUp(room, now: now, into: &actions)
    }

    /// Handles the news that the store has entries up to a position, without the entries.
    ///
    /// - Parameter delay: the time for this hub's own appends to be answered, before the store is read.
    mutating func heardOf(
        _ position: Position, in id: RoomID, readAfter delay: Milliseconds, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard let head = rooms[id]?.head, head.epoch == position.epoch, head.offset < position.offset else { return }
        // Clients recover more cheaply from so far behind than all their messages could be delivered one by one.
        guard position.offset - head.offset <= cluster.lagEntriesMax else {
            return resync(id, now: now, into: &actions)
        }
        _ = catchUps[id, default: CatchUp(limits, cluster)].held.heardOf(position, head: head)
        readLater(id, at: now + delay, into: &actions)
    }

    /// Reads the room at that time at the latest. A read that is in progress may miss what exists now.
    mutating func readLater(_ id: RoomID, at due: MonotonicTime, into actions: inout [HubAction]) {
        guard let planned = catchUps[id] else { return }
        if planned.isReading {
            _ = catchUps[id]?.beginReading()
        } else if planned.due.map({ due < $0 }) ?? true {
            catchUpLater(id, at: due, into: &actions)
        }
    }

    /// Ends the catching up, because it is complete, or because the room is gone or has another history.
    mutating func endCatchUp(_ id: RoomID, into actions: inout [HubAction]) {
        let joins = catchUps[id]?.joins ?? []
        catchUps[id]?.held.removeAll(budget: &holdBudget)
        catchUps[id] = nil
        for join in joins { resume(join, into: &actions) }
    }

    /// Handles an entry that an attempt with a lost answer stored and that may not have been delivered.
    mutating func repeated(
        _ draft: MessageDraft, at position: Position, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let head = rooms[draft.room]?.head
        if let head, head.epoch != position.epoch { return resync(draft.room, now: now, into: &actions) }
        if draft.room.name.isDirect {
            guard storeRequestsInFlight < limits.storeRequestsInFlightMax, position.offset > 0 else { return }
            storeRequestsInFlight += 1
            let read = HistoryRequest(
                room: draft.room, range: .after(position.offset - 1), messagesMax: 1, bytesMax: limits.pageBytesMax)
            return actions.append(.read(read, .repeated))
        }
        guard let head, head.offset < position.offset else { return }
        catchUp(draft.room, now: now, into: &actions)
    }

    /// Reads the undelivered entries. If a read is in progress, another one will follow it.
    mutating func catchUp(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard catchUps[id, default: CatchUp(limits, cluster)].beginReading() else { return }
        let head = rooms[id]?.head
        // The room is empty.
        if head == nil, !id.name.isDirect { return endCatchUp(id, into: &actions) }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            _ = catchUps[id]?.endReading()
            return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
        }
        let (range, messagesMax) =
            id.name.isDirect ? directRange(of: id) : (.after(head?.offset ?? 0), limits.pageMessagesMax)
        catchUps[id]?.due = nil
        storeRequestsInFlight += 1
        let read = HistoryRequest(
            room: id, range: range, messagesMax: min(messagesMax, limits.pageMessagesMax), bytesMax: limits.pageBytesMax
        )
        actions.append(.read(read, .catchUp))
    }

    mutating func catchUpLater(_ id: RoomID, at due: MonotonicTime, into actions: inout [HubAction]) {
        catchUps[id]?.due = due
        schedule(.catchUp(id), at: due, into: &actions)
    }

    mutating func catchUpDue(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let due = catchUps[id]?.due, due <= now else { return }
        // Whatever another hub was suspected of may have been this hub's own, and is delivered by now.
        if let head = rooms[id]?.head, catchUps[id]?.isComplete(at: head) == true {
            return endCatchUp(id, into: &actions)
        }
        catchUp(id, now: now, into: &actions)
    }

    mutating func catchUpRead(
        _ id: RoomID, _ result: Result<HistoryPage, StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let mustReadAgain = catchUps[id]?.endReading() else { return }
        guard case .success(let page) = result else {
            refuseJoinsAhead(of: id, into: &actions)
            if let news = catchUps[id]?.endReadingNews() { catchUps[id]?.add(news) }
            return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
        }
        if id.name.isDirect {
            deliver(entriesInDoubtOf: page, id, now: now, into: &actions)
            deliverNews(page, of: id, into: &actions)
        } else if let head = rooms[id]?.head {
            guard head.epoch == page.head.epoch, deliver(page, in: id, now: now, into: &actions) else {
                return resync(id, now: now, into: &actions)
            }
            headMoved(of: id, now: now, into: &actions)
            guard let head = rooms[id]?.head, let held = catchUps[id]?.held else { return }
            if head.offset < page.head.offset { return catchUp(id, now: now, into: &actions) }
            // What is known to be missing was stored after the page was read.
            if held.missing(after: head) != nil, !mustReadAgain {
                return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
            }
        } else {
            return endCatchUp(id, into: &actions)
        }
        let mustRead = id.name.isDirect ? catchUps[id]?.news != nil : mustReadAgain
        if mustRead { return catchUp(id, now: now, into: &actions) }
        if catchUps[id]?.keys.isEmpty == false, let delay = catchUps[id]?.nextLook() {
            return catchUpLater(id, at: now + delay, into: &actions)
        }
        endCatchUp(id, into: &actions)
    }

    /// - Returns: false when the store can't fill the gap.
    private mutating func deliver(
        _ page: HistoryPage, in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        for entry in catchUps[id]?.held.amended(page.messages) ?? page.messages {
            guard deliverNext(entry, page.head.epoch, in: id, now: now, into: &actions) else { return false }
        }
        guard deliverHeld(in: id, now: now, into: &actions) else { return false }
        // Prevents an endless loop over a page that makes no progress although there is more.
        return !page.messages.isEmpty || (rooms[id]?.head).map { $0.offset >= page.head.offset } ?? true
    }

    /// Delivers what was held and follows the head now.
    ///
    /// - Returns: false when an entry is of another epoch.
    mutating func deliverHeld(in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) -> Bool {
        while let head = rooms[id]?.head, let entry = catchUps[id]?.held.takeNext(after: head, budget: &holdBudget) {
            guard deliverNext(entry, head.epoch, in: id, now: now, into: &actions) else { return false }
        }
        return true
    }

    mutating func deliverNext(
        _ entry: StoredMessage, _ epoch: Epoch, in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        catchUps[id]?.keys.remove(CatchUp.Key(user: entry.from.user, id: entry.id))
        let advance = deliver(entry, epoch, of: id, into: &actions)
        switch advance {
        case .alreadyCovered: return true
        case .next: break
        case .ahead, .otherEpoch: return false
        }
        if advance.mustFlushReceipt, entry.change == nil {
            let position = Position(epoch: epoch, offset: entry.offset)
            sent(in: id, position, by: entry.from.user, advance, now: now, into: &actions)
        }
        return true
    }
}
