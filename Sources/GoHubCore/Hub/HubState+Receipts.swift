extension HubState {
    // MARK: Receipts of users

    /// Handles a user's receipt from some device. A receipt that is not newer or is impossible is dropped.
    package mutating func receipted(
        _ user: UserID, _ id: RoomID, _ receipt: Receipt, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        if id.name.isDirect, rooms[id]?.receipts.isLoaded != true {
            receiptedEarly(user, id, receipt, into: &actions)
        } else if id.name.isDirect || rooms[id]?.users[user] != nil {
            advance(user, id, to: receipt, now: now, into: &actions)
        }
    }

    private mutating func advance(
        _ user: UserID, _ id: RoomID, to receipt: Receipt, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        applySentReceipts(of: id)
        guard let index = rooms.index(forKey: id), let head = rooms.values[index].head else { return }
        guard receipt.delivered <= head.offset else {
            return receiptedAhead(user, id, receipt, now: now, into: &actions)
        }
        guard rooms.values[index].receipts.isNews(user, receipt),
            // A receipt that does not fit is accepted when it is sent again.
            receiptWriter.note(id, head.epoch, user, receipt, max: limits.receiptsWaitingMax)
        else { return }
        rooms.values[index].receipts.expect(user, receipt, head.epoch, max: limits.receiptUsersMax)
        storeReceiptsSoon(now: now, into: &actions)
    }

    /// A direct conversation isn't kept in memory, so its head and its receipts must be read first.
    private mutating func receiptedEarly(
        _ user: UserID, _ id: RoomID, _ receipt: Receipt, into actions: inout [HubAction]
    ) {
        guard rooms[id] != nil || rooms.count < limits.roomsPerShardMax else { return }
        let isReading = rooms[id]?.receipts.hasEarly == true
        guard isReading || storeRequestsInFlight < limits.storeRequestsInFlightMax else { return }
        guard rooms[id, default: Room()].receipts.wait(user, receipt) else { return }
        storeRequestsInFlight += 1
        let read = HistoryRequest(
            room: id, range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: receiptsToRead(of: id))
        actions.append(.read(read, .receipts))
    }

    mutating func receiptsRead(
        _ id: RoomID, _ result: Result<HistoryPage, StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        if case .success(let page) = result, let room = rooms[id], !room.receipts.isLoaded {
            if rooms[id]?.adoptHead(page.head) == false {
                resync(id, now: now, into: &actions)
                _ = rooms[id]?.adoptHead(page.head)
            }
            loadReceipts(page, of: id, now: now, into: &actions)
        }
        rooms[id]?.receipts.dropEarly()
        forgetIfIdle(id, now: now, into: &actions)
    }

    /// The number of receipts to request from the store for a room in memory. Receipts that the store may not know by
    /// then are kept here. In a cluster they are read with every join, so that a client that comes
    /// from another hub finds none that is older than it knows.
    mutating func receiptsToRead(of id: RoomID) -> Int {
        guard rooms[id]?.receipts.isLoaded == false else { return comparison.isOn ? limits.receiptUsersMax + 1 : 0 }
        for note in receiptWriter.unstored(id) {
            rooms[id]?.receipts.expect(
                note.user, note.receipt, note.epoch, max: limits.receiptUsersMax, follows: note.follows)
        }
        // One more than the maximum reveals that there are too many.
        return limits.receiptUsersMax + 1
    }

    /// Applies the receipts that the store returned with a page, and those that it did not know.
    mutating func loadReceipts(
        _ page: HistoryPage, of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let head = rooms[id]?.head, head.epoch == page.head.epoch else { return }
        // Done first, so that the receipts count as unknown to the store.
        applySentReceipts(of: id)
        let early = rooms[id]?.receipts.load(page.receipts, head: head, max: limits.receiptUsersMax) ?? [:]
        // The store was read for them: what it doesn't have is a mistake of the client.
        for (user, receipt) in early where receipt.delivered <= head.offset {
            advance(user, id, to: receipt, now: now, into: &actions)
        }
    }

    /// Merges the receipts that came with a page into those of the room.
    mutating func refreshReceipts(_ page: HistoryPage, of id: RoomID, into actions: inout [HubAction]) {
        guard rooms[id]?.head?.epoch == page.head.epoch else { return }
        mergeReceipts(page.receipts, of: id, into: &actions)
    }

    /// Merges receipts that other hubs have stored, and delivers what is news to the members.
    mutating func mergeReceipts(_ read: [UserReceipt], of id: RoomID, into actions: inout [HubAction]) {
        guard let head = rooms[id]?.head else { return }
        // Prevents a receipt that is older than a message delivered before it.
        applySentReceipts(of: id)
        let news = rooms[id]?.receipts.refresh(read, head: head, max: limits.receiptUsersMax) ?? []
        guard !news.isEmpty, let count = rooms[id]?.users.count, count <= limits.receiptUsersMax else { return }
        deliver(.receipt(room: id.name, news), in: id, into: &actions)
    }

    /// The receipts of a room that a joining user receives: none if there are too many.
    mutating func receipts(of id: RoomID) -> [UserReceipt] {
        applySentReceipts(of: id)
        guard let room = rooms[id], room.users.count <= limits.receiptUsersMax else { return [] }
        return rooms[id]?.receipts.list() ?? []
    }

    // MARK: Receipts by messages

    /// Handles the receipt of a message's sender, who has seen everything up to the message. Called when `noteSent`
    /// requires it: for the first message since the last flush, for a message that isn't the next one in a room with
    /// members, and when many receipts are batched.
    mutating func sent(
        in id: RoomID, _ position: Position, by sender: UserID, _ advance: Room.Advance, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard let index = rooms.index(forKey: id), case .next = advance else {
            return sentUnseen(id, position, by: sender, now: now, into: &actions)
        }
        roomsWithSent.insert(id)
        if rooms.values[index].receipts.isSentFull { applySentReceipts(of: id) }
        if id.name.isDirect {
            sentUnseen(id, position, by: sender, now: now, into: &actions)
        } else {
            storeReceiptsSoon(now: now, into: &actions)
        }
    }

    /// Handles a stored message that no member receives as the next one: in a direct conversation, in a room that isn't
    /// in memory, or before its members joined. Both users of a conversation get a receipt, which makes the
    /// conversation one of their rooms.
    mutating func sentUnseen(
        _ id: RoomID, _ position: Position, by sender: UserID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let max = limits.receiptsWaitingMax
        let receipt = Receipt(seen: position.offset)
        let participants = id.name.participants.map { [$0, $1] }
        // The server API may write to a conversation between other users; the sender then gets no receipt.
        if participants?.contains(sender) ?? true,
            receiptWriter.note(id, position.epoch, sender, receipt, max: max)
        {
            rooms[id]?.receipts.expect(sender, receipt, position.epoch, max: limits.receiptUsersMax, isSent: true)
        }
        for user in participants ?? [] where user != sender {
            _ = receiptWriter.note(id, position.epoch, user, Receipt(), max: max)
        }
        storeReceiptsSoon(now: now, into: &actions)
    }

    mutating func applySentReceipts(of id: RoomID) {
        guard let index = rooms.index(forKey: id), rooms.values[index].receipts.hasSent else { return }
        guard let epoch = rooms.values[index].head?.epoch else { return }
        let waitingMax = limits.receiptsWaitingMax
        // Beside each other, not one inside the other.
        var writer = ReceiptWriter()
        swap(&writer, &receiptWriter)
        // A user who sends while in the room follows it, even if another device has left since.
        let users = rooms.values[index].users
        rooms.values[index].receipts.takeSent(epoch, max: limits.receiptUsersMax) { user, offset, isFollower in
            let follows: Bool? = isFollower || users[user] == nil ? nil : true
            return writer.note(id, epoch, user, Receipt(seen: offset), follows: follows, max: waitingMax)
        }
        swap(&writer, &receiptWriter)
    }

    // MARK: The store

    /// Schedules the write of waiting receipts. The delay counts from the end of the last write, which bounds how often
    /// a room is notified. A draining hub writes immediately.
    mutating func storeReceiptsSoon(now: MonotonicTime, into actions: inout [HubAction]) {
        guard case .none = drain else { return storeReceipts(into: &actions) }
        guard !receiptWriter.isScheduled, !receiptWriter.isWriting else { return }
        receiptWriter.isScheduled = true
        schedule(.receipts, at: now + limits.receiptDelay, into: &actions)
    }

    mutating func receiptsDue(into actions: inout [HubAction]) {
        receiptWriter.isScheduled = false
        storeReceipts(into: &actions)
    }

    mutating func storeReceipts(into actions: inout [HubAction]) {
        for room in roomsWithSent { applySentReceipts(of: room) }
        roomsWithSent.removeAll(keepingCapacity: true)
        let batch = receiptWriter.nextBatch()
        if !batch.isEmpty { actions.append(.storeReceipts(batch)) }
    }

    /// Handles the store's answer to `.storeReceipts`. Stored receipts are delivered; failed ones wait for the next
    /// attempt.
    package mutating func receiptsStored(
        _ result: Result<Void, StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let isStored = if case .success = result { true } else { false }
        deliverReceipts(receiptWriter.completed(isStored: isStored), now: now, into: &actions)
        guard case .none = drain else {
            // A draining hub makes only one attempt.
            if !isStored { receiptWriter.removeAll() }
            storeReceipts(into: &actions)
            return drainProgress(into: &actions)
        }
        if !receiptWriter.isEmpty || !roomsWithSent.isEmpty { storeReceiptsSoon(now: now, into: &actions) }
    }

    /// Delivers newly stored receipts to the rooms' members.
    private mutating func deliverReceipts(
        _ stored: [RoomID: ReceiptWriter.Entry], now: MonotonicTime, into actions: inout [HubAction]
    ) {
        var news: [(room: RoomID, epoch: Epoch, receipts: [UserReceipt])] = []
        for (id, entry) in stored {
            // Prevents a receipt that is older than a message delivered before it.
            applySentReceipts(of: id)
            guard let index = rooms.index(forKey: id) else { continue }
            let head = rooms.values[index].head
            let receipts = rooms.values[index].receipts.stored(entry.receipts, entry.epoch, head: head)
            if !receipts.isEmpty, rooms.values[index].users.count <= limits.receiptUsersMax {
                news.append((id, entry.epoch, receipts))
            }
            forgetIfIdle(id, now: now, into: &actions)
        }
        news.sort { $0.room < $1.room }
        for (room, epoch, receipts) in news {
            deliver(.receipt(room: room.name, receipts), in: room, into: &actions)
            publish(
                .receipts(epoch, receipts), direct: { .directReceipts($0, epoch, receipts) }, in: room, now: now,
                into: &actions)
        }
    }

    // MARK: A user's rooms

    package mutating func roomsRequested(
        _ requester: Requester, _ request: RoomsRequest, into actions: inout [HubAction]
    ) {
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return actions.append(
                refuse(requester, .unavailable, "The store is busy. Try again shortly.", retryAfter: 1000))
        }
        storeRequestsInFlight += 1
        actions.append(.readRooms(request, requester))
    }

    /// Handles the store's answer to a `.readRooms`.
    package mutating func roomsRead(
        _ requester: Requester, _ result: Result<RoomsPage, StoreError>, into actions: inout [HubAction]
    ) {
        storeRequestsInFlight -= 1
        switch result {
        case .success(let page): actions.append(reply(.rooms(id: requester.id, page), to: requester))
        case .failure:
            actions.append(
                refuse(requester, .unavailable, "The store is unavailable. Try again shortly.", retryAfter: 1000))
        }
    }
}
