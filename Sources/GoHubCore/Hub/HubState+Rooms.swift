extension HubState {
    // MARK: Joining

    /// Handles a join, including the messages that the session missed.
    ///
    /// The session becomes a member in the same step that answers it: the answer leads up to the room's head, and every
    /// later message is delivered. So no message is missed or sent twice.
    package mutating func joined(_ request: JoinRequest, now: MonotonicTime, into actions: inout [HubAction]) {
        if let refusal = refusalToJoin(request, now: now) { return actions.append(refusal) }
        readDoubtfulSanctions(of: request.room, into: &actions)
        if let page = pageFromTail(request) { return admit(request, with: page, now: now, into: &actions) }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return actions.append(
                refuseJoin(request, .unavailable, "The store is busy. Try again shortly.", retryAfter: 1000))
        }
        rooms[request.room, default: Room()].joining.insert(request.session)
        // What is stored after the reading must be heard.
        guard request.room.name.isDirect || subscribe(to: .room(request.room), into: &actions) else {
            return bus.joins[request.room, default: []].append(request)
        }
        readForJoin(request, into: &actions)
    }

    private mutating func refusalToJoin(_ request: JoinRequest, now: MonotonicTime) -> HubAction? {
        guard case .none = drain else {
            return refuseJoin(request, .unavailable, "The hub is restarting. Reconnect shortly.", retryAfter: 1000)
        }
        guard let room = rooms[request.room] else {
            guard rooms.count < limits.roomsPerShardMax else {
                return refuseJoin(
                    request, .unavailable, "The hub has too many rooms. Try again later.", retryAfter: 60_000)
            }
            return nil
        }
        if let refusal = refusalOfBanned(request, now: now) { return refusal }
        guard room.members.count + room.joining.count < limits.membersPerRoomMax else {
            return refuseJoin(request, .unavailable, "The room is full. Try again later.", retryAfter: 60_000)
        }
        return nil
    }

    func refuseJoin(
        _ request: JoinRequest, _ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil
    ) -> HubAction {
        .send(
            request.session,
            .joinRefused(
                request.room.name, .error(id: request.id, code: code, message: message, retryAfter: retryAfter)))
    }

    /// The page for the join, if it is in memory.
    private func pageFromTail(_ request: JoinRequest) -> HistoryPage? {
        guard let room = rooms[request.room], let head = room.head, room.receipts.isLoaded,
            sanctionsToRead(of: request.room) == 0
        else { return nil }
        // Another hub may have stored what this one has not delivered.
        guard !comparison.isOn else { return nil }
        let missed: [StoredMessage]?
        if let since = request.since {
            if since.epoch != head.epoch || since.offset > head.offset {
                missed = []
            } else {
                missed = since.offset == head.offset ? [] : room.tail.messages(after: since.offset)
            }
        } else {
            let first = head.offset - min(head.offset, UInt64(request.limit))
            missed = request.limit == 0 || first == head.offset ? [] : room.tail.messages(after: first)
        }
        guard let missed, missed.count <= limits.pageMessagesMax, missed.answerBytes <= limits.pageBytesMax else {
            return nil
        }
        return HistoryPage(head: head, messages: missed, more: false)
    }

    mutating func readForJoin(_ request: JoinRequest, into actions: inout [HubAction]) {
        storeRequestsInFlight += 1
        let range: HistoryRange = request.since.map { .after($0.offset) } ?? .newest
        // A join without messages still reads one, for the head.
        let wanted = request.since == nil ? max(1, request.limit) : limits.pageMessagesMax
        let read = HistoryRequest(
            room: request.room, range: range, messagesMax: min(wanted, limits.pageMessagesMax),
            bytesMax: limits.pageBytesMax, receiptsMax: receiptsToRead(of: request.room),
            sanctionsMax: sanctionsToRead(of: request.room))
        actions.append(.read(read, .join(request)))
    }

    /// Handles the store's answer to a `.read`.
    package mutating func historyRead(
        _ pending: PendingRead, _ result: Result<HistoryPage, StoreError>, _ request: HistoryRequest,
        now: MonotonicTime, into actions: inout [HubAction]
    ) {
        storeRequestsInFlight -= 1
        switch pending {
        case .receipts: receiptsRead(request.room, result, now: now, into: &actions)
        case .catchUp: catchUpRead(request.room, result, now: now, into: &actions)
        case .repeated: repeatRead(request.room, result, into: &actions)
        case .sanctions: sanctionsRead(request.room, result, now: now, into: &actions)
        case .history(let requester):
            if let refusal = refusalOfOutsider(requester, request.room) { return actions.append(refusal) }
            switch result {
            case .success(var page):
                page.amend(by: newer(than: page, in: request.room) ?? [])
                actions.append(reply(.page(id: requester.id, room: request.room.name, page), to: requester))
            case .failure:
                actions.append(
                    refuse(requester, .unavailable, "The store is unavailable. Try again shortly.", retryAfter: 1000))
            }
        case .join(let join):
            // The join was withdrawn since, and its end was already confirmed.
            guard rooms[join.room]?.joining.contains(join.session) == true else { return }
            if case .success(let page) = result, request.sanctionsMax > 0 {
                loadSanctions(page, of: join.room, now: now, into: &actions)
            }
            let refusal: HubAction
            switch (result, refusalOfBanned(join, try? result.get(), now: now)) {
            case (.success(let page), nil): return joinRead(join, page, request, now: now, into: &actions)
            case (_, let banned?): refusal = banned
            case (.failure, nil):
                refusal = refuseJoin(
                    join, .unavailable, "The store is unavailable. Try again shortly.", retryAfter: 1000)
            }
            rooms[join.room]?.joining.remove(join.session)
            forgetIfIdle(join.room, now: now, into: &actions)
            actions.append(refusal)
        }
    }

    private mutating func joinRead(
        _ join: JoinRequest, _ page: HistoryPage, _ request: HistoryRequest, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        follow(page, of: join.room)
        if rooms[join.room]?.adoptHead(page.head) == false {
            resync(join.room, now: now, into: &actions)
            _ = rooms[join.room]?.adoptHead(page.head)
        }
        if rooms[join.room]?.receipts.isLoaded == false {
            // Receipts were not requested, because they were known then; the room has resynced since.
            guard request.receiptsMax > 0 else { return readForJoin(join, into: &actions) }
            loadReceipts(page, of: join.room, now: now, into: &actions)
        } else if request.receiptsMax > 0 {
            refreshReceipts(page, of: join.room, into: &actions)
        }
        guard let room = rooms[join.room], let head = room.head else { return }
        var page = page
        if page.head.offset > head.offset {
            if comparison.isOn, joinedBehind(join, page, now: now, into: &actions) { return }
            // Stored, but not delivered by this shard yet. They will be delivered to the new member, too. A page that
            // reaches the head has everything up to it.
            if let last = page.messages.last, last.offset >= head.offset { page.more = false }
            page.messages.removeAll { $0.offset > head.offset }
        } else if page.head.offset < head.offset {
            // Delivered while the store was reading. A page that ended early is incomplete anyway.
            if join.since != nil || join.limit > 0 {
                guard let newer = room.tail.messages(after: page.head.offset) else {
                    return readForJoin(join, into: &actions)
                }
                if !page.more || join.since == nil {
                    page.amend(by: newer)
                    page.messages += newer
                }
            }
        }
        page.head = head
        rooms[join.room]?.joining.remove(join.session)
        admit(join, with: page, now: now, into: &actions)
    }

    /// Makes the session a member and answers the join.
    private mutating func admit(
        _ join: JoinRequest, with page: HistoryPage, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        var messages = page.messages
        var recovered = false
        if let since = join.since {
            // Messages delivered while the store was reading may have made the page too large.
            recovered =
                isWhole(page, since: since) && (messages.count <= 1 || messages.answerBytes <= limits.pageBytesMax)
            if !recovered { messages = [] }
        } else {
            messages = Array(messages.suffix(min(join.limit, limits.pageMessagesMax)))
            while messages.count > 1, messages.answerBytes > limits.pageBytesMax {
                messages.removeFirst(messages.count / 2)
            }
        }
        // The answer shows the room with its new member, and goes before what the membership causes.
        let answerIndex = actions.count
        // A direct conversation has no members: its events reach all devices of its two users anyway.
        if !join.room.name.isDirect {
            if rooms[join.room] == nil { rooms[join.room] = Room() }
            add(join.session, join.member, to: join.room, now: now, into: &actions)
            follow(join.member.user, join.room, now: now, into: &actions)
            rooms[join.room]?.presence.listed(to: join.member.user)
            compareIfLeftOut(join.room, now: now, into: &actions)
            readEarly(of: join.room, now: now, into: &actions)
        }
        let joined = Event.Joined(
            id: join.id, room: join.room.name, head: page.head, recovered: recovered, messages: messages,
            members: members(of: join.room), receipts: receipts(of: join.room))
        let answer: HubAction =
            join.room.name.isDirect
            ? .forward(
                .conversationJoined(join.session, UserKey(tenant: join.room.tenant, user: join.member.user), joined))
            : .send(join.session, .joined(joined))
        actions.insert(answer, at: answerIndex)
        forgetIfIdle(join.room, now: now, into: &actions)
    }

    /// Whether a page contains everything after a position, without a gap at either end.
    private func isWhole(_ page: HistoryPage, since: Position) -> Bool {
        guard since.epoch == page.head.epoch, since.offset <= page.head.offset, !page.more else { return false }
        guard let first = page.messages.first, let last = page.messages.last else {
            return since.offset == page.head.offset
        }
        return first.offset == since.offset + 1 && last.offset == page.head.offset
    }

    // MARK: Leaving

    package mutating func left(
        _ session: SessionID, _ room: RoomID, id: CommandID?, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let reason = id == nil ? "Your token no longer grants access to this room." : nil
        actions.append(.send(session, .left(room.name, .left(id: id, room: room.name, reason: reason))))
        if id != nil, let user = rooms[room]?.members[session] {
            endFollowing(user, room, now: now, into: &actions)
        }
        remove(session, from: room, now: now, into: &actions)
    }

    /// Removes an ended session and confirms it to the user's owner.
    package mutating func sessionEnded(
        _ session: SessionID, _ key: SessionKey, _ room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        rooms[room]?.joining.remove(session)
        remove(session, from: room, now: now, into: &actions)
        actions.append(.forward(.roomCleared(session, key)))
    }

    mutating func add(
        _ session: SessionID, _ member: Member, to room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let wasPresent = rooms[room]?.users[member.user] != nil
        guard rooms[room]?.add(session, member) == true, !wasPresent,
            !localPresenceChanged(of: member.user, in: room, isPresent: true, now: now, into: &actions)
        else { return }
        presenceChanged(of: member.user, in: room, isPresent: true, now: now, into: &actions)
    }

    /// Ends a membership. A join that waits for the store is unaffected: it came later, or it will find a ban.
    mutating func remove(
        _ session: SessionID, from room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        if let user = rooms[room]?.remove(session), rooms[room]?.users[user] == nil,
            !localPresenceChanged(of: user, in: room, isPresent: false, now: now, into: &actions)
        {
            presenceChanged(of: user, in: room, isPresent: false, now: now, into: &actions)
        }
        forgetIfIdle(room, now: now, into: &actions)
    }

    mutating func forgetIfIdle(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let room = rooms[id], room.isIdle(isDirect: id.name.isDirect) else { return }
        applySentReceipts(of: id)
        forgetPresence(of: id, now: now, into: &actions)
        bus.early[id] = nil
        rooms[id] = nil
        unsubscribe(from: .room(id), into: &actions)
    }

    /// Closes the members of a room whose history has changed to another epoch, or that this hub is far behind of; they
    /// reconnect and resync. Many are closed one after the other, because together they would be a herd.
    mutating func resync(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        // Receipts that are being written are still valid if they belong to the same epoch.
        applySentReceipts(of: id)
        rooms[id]?.forgetHistory()
        // News of a direct conversation may be of the new history.
        if !id.name.isDirect { endCatchUp(id, into: &actions) }
        let sessions = (rooms[id]?.members.keys ?? [:].keys)
            .sorted { ($0.edge.index, $0.serial) < ($1.edge.index, $1.serial) }
        guard let delays = resyncDelays(sessions.count) else {
            for session in sessions { actions.append(.send(session, .close(.resyncNeeded))) }
            return
        }
        for (session, delay) in zip(sessions, delays) {
            // Out of the room at once: whoever has the old history must not receive entries of the new one.
            remove(session, from: id, now: now, into: &actions)
            actions.append(.send(session, .resync(id.name, closeAfter: delay)))
        }
    }

    /// The times until sessions are closed to resync, one after the other; `nil` for few of them, which are closed at
    /// once.
    func resyncDelays(_ count: Int) -> [Milliseconds]? {
        // A failover changes every room's history, so the clients of all rooms count.
        let clients = UInt64(max(count, comparison.isOn ? sessionCount : 0))
        let window = min(cluster.resyncOver.value, clients * cluster.resyncPerClient.value)
        guard window > cluster.resyncAtOnce.value else { return nil }
        return (0..<UInt64(count)).map { Milliseconds(window * $0 / UInt64(count)) }
    }

    // MARK: Asking

    package mutating func historyRequested(
        _ requester: Requester, _ room: RoomID, _ range: HistoryRange, limit: Int, into actions: inout [HubAction]
    ) {
        if let refusal = refusalOfOutsider(requester, room) { return actions.append(refusal) }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return actions.append(
                refuse(requester, .unavailable, "The store is busy. Try again shortly.", retryAfter: 1000))
        }
        storeRequestsInFlight += 1
        let read = HistoryRequest(
            room: room, range: range, messagesMax: max(1, min(limit, limits.pageMessagesMax)),
            bytesMax: limits.pageBytesMax)
        actions.append(.read(read, .history(requester)))
    }

    package mutating func membersRequested(
        _ requester: Requester, _ room: RoomID, into actions: inout [HubAction]
    ) {
        if let refusal = refusalOfOutsider(requester, room) { return actions.append(refusal) }
        rooms[room]?.presence.listed(to: nil)
        let event = Event.members(id: requester.id, room: room.name, members(of: room))
        switch requester.origin {
        case .session(let session): actions.append(.send(session, .members(room.name, event)))
        case .service: actions.append(reply(event, to: requester))
        }
    }

    /// The members of a room.
    package func members(of room: RoomID) -> Event.Members {
        var members = rooms[room]?.listMembers(max: limits.membersListedMax) ?? Event.Members()
        members.isPartial = comparison.hasPeers && (mustPoll || bus.presence[room]?.isPartial != false)
        guard let presence = bus.presence[room], !presence.others.isEmpty else { return members }
        let elsewhere = presence.others.members.lazy.filter { rooms[room]?.users[$0.user] == nil }
        members.listed += elsewhere.prefix(limits.membersListedMax - members.listed.count)
        members.listed.sort { $0.user < $1.user }
        members.count = userCount(of: room)
        return members
    }

    /// The tenant's rooms with members on this shard, by name: the users who are present, and their sessions.
    package func roomSummaries(of tenant: TenantID) -> [(room: RoomName, users: Int, sessions: Int)] {
        rooms.filter { $0.key.tenant == tenant && !$0.value.members.isEmpty }
            .map { (room: $0.key.name, users: userCount(of: $0.key), sessions: $0.value.members.count) }
            .sorted { $0.room.value < $1.room.value }
    }
}
