/// Access checks: who may receive a room's events, and who may write to it.
///
/// The edge knows the token's grants. All other rules are here, for every kind of answer: a plain room's events go to
/// members only, and a banned user is never a member. A list of rooms comes from the store, which excludes rooms from
/// which the user is banned, by the same rows (`MessageStore.read` of a `RoomsRequest`). `revokedPermissions` does the
/// same for files.
extension HubState {
    /// The permissions that a mute or a ban revokes from a user in a room now.
    ///
    /// - Returns: `nil` for a room that isn't in memory; ask the store.
    package func revokedPermissions(of user: UserID, in room: RoomID, now: MonotonicTime) -> Permissions? {
        // Nobody moderates a direct conversation.
        guard !room.name.isDirect else { return [] }
        guard var sanctions = rooms[room]?.sanctions, sanctions.isLoaded else { return nil }
        return sanctions.sanction(of: user, now: now)?.revokedPermissions ?? []
    }

    /// The refusal of a join by a banned user, as far as bans are known. The check is repeated when the store has
    /// answered.
    func refusalOfBanned(_ request: JoinRequest, now: MonotonicTime) -> HubAction? {
        guard revokedPermissions(of: request.member.user, in: request.room, now: now)?.contains(.read) == true else {
            return nil
        }
        return refuseJoin(request, .forbidden, "You are banned from this room.")
    }

    /// The refusal of a join by a banned user, as memory or the page that was read for the join has it: another hub may
    /// have banned the user a moment ago.
    func refusalOfBanned(_ request: JoinRequest, _ page: HistoryPage?, now: MonotonicTime) -> HubAction? {
        if let refusal = refusalOfBanned(request, now: now) { return refusal }
        guard let page, rooms[request.room]?.sanctions.isOlder(than: page.sanctionsVersion) == true,
            page.sanctions.contains(where: { $0.user == request.member.user && $0.isBan })
        else { return nil }
        return refuseJoin(request, .forbidden, "You are banned from this room.")
    }

    /// The refusal of a request about a room by a session that isn't a member. The edge has checked membership, but the
    /// session may have been removed since.
    func refusalOfOutsider(_ requester: Requester, _ room: RoomID) -> HubAction? {
        guard case .session(let session) = requester.origin, !room.name.isDirect else { return nil }
        guard rooms[room]?.members[session] == nil else { return nil }
        return refuse(requester, .conflict, "Join the room first.")
    }

    /// The refusal of a message that may not be stored or delivered. The server API is not restricted.
    mutating func refusalToWrite(_ appendRequest: AppendRequest, now: MonotonicTime) -> HubAction? {
        guard case .session = appendRequest.requester.origin else { return nil }
        let draft = appendRequest.draft
        guard let index = rooms.index(forKey: draft.room) else {
            return draft.room.name.isDirect ? nil : refuse(appendRequest.requester, .conflict, "Join the room first.")
        }
        // Looked up in place for every message: copying the room would be expensive.
        let (isLoaded, sanction) = rooms.values[index].sanctions.look(for: draft.from.user, now: now)
        // A room without members may have unknown mutes and bans, so nobody may write.
        guard isLoaded || draft.room.name.isDirect else {
            return refuse(appendRequest.requester, .conflict, "Join the room first.")
        }
        guard let sanction else { return nil }
        let message = "You are muted in this room."
        return refuse(appendRequest.requester, .forbidden, message, retryAfter: sanction.until.since(now))
    }

    /// Whether a user is muted in a room now.
    mutating func isMuted(_ user: UserID, in room: RoomID, now: MonotonicTime) -> Bool {
        guard let index = rooms.index(forKey: room) else { return false }
        return rooms.values[index].sanctions.sanction(of: user, now: now) != nil
    }

    // MARK: From the store

    /// The number of mutes and bans to request from the store for a room in memory. In a cluster they
    /// are read with every join, so that a ban that another hub has confirmed holds here at once.
    func sanctionsToRead(of id: RoomID) -> Int {
        guard !id.name.isDirect, let room = rooms[id] else { return 0 }
        return comparison.isOn || !room.sanctions.isLoaded ? limits.sanctionsReadMax : 0
    }

    /// Applies the mutes and bans that the store returned with a page. Members who turn out to be banned are removed.
    mutating func loadSanctions(
        _ page: HistoryPage, of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        rooms[id]?.sanctions.load(page, now: now)
        compareSanctions(of: id, page.sanctionsVersion, into: &actions)
        putOutBanned(of: id, now: now, into: &actions)
    }

    /// Reads mutes and bans again after a failed write, which may have been stored.
    mutating func readDoubtfulSanctions(of id: RoomID, into actions: inout [HubAction]) {
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax, rooms[id]?.sanctions.ask() == true else {
            return
        }
        storeRequestsInFlight += 1
        actions.append(.read(.sanctions(of: id, max: limits.sanctionsReadMax), .sanctions))
    }

    mutating func sanctionsRead(
        _ id: RoomID, _ result: Result<HistoryPage, StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let page = try? result.get()
        rooms[id]?.sanctions.answered(page, now: now)
        putOutBanned(of: id, now: now, into: &actions)
        if page != nil { readDoubtfulSanctions(of: id, into: &actions) }
    }

    /// Reads mutes and bans again if the store has others.
    mutating func compareSanctions(of id: RoomID, _ version: UInt64, into actions: inout [HubAction]) {
        guard rooms[id]?.sanctions.isOlder(than: version) == true else { return }
        rooms[id]?.sanctions.doubt()
        readDoubtfulSanctions(of: id, into: &actions)
    }

    private mutating func putOutBanned(of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let room = rooms[id], !room.sanctions.isEmpty, !room.users.isEmpty else { return }
        let banned = room.sanctions.banned(now: now).filter { room.users[$0] != nil }
        for user in banned.sorted() { putOut(user, of: id, "\(user) was banned", now: now, into: &actions) }
    }
}

extension RoomSanctions.Sanction {
    var revokedPermissions: Permissions { isBan ? .all : .write }
}

extension UserSanction {
    /// The permissions that the sanction revokes.
    package var revokedPermissions: Permissions { isBan ? .all : .write }
}
