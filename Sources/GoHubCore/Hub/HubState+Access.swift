/// Who may be told of a room, and who may write in it.
///
/// What a token grants is known at the edge. What else decides is here, for every answer alike: a plain room tells its members
/// only, and no one who is banned is a member. A list of rooms comes from the store, which leaves out those that its user is
/// banned from by the same rows (`MessageStore.read` of a `RoomsRequest`). So does `withheld` for files.
extension HubState {
    /// What a mute or a ban takes from a user in a room now.
    ///
    /// - Returns: `nil` for a room that isn't in memory: the store knows.
    public func withheld(from user: UserID, in room: RoomID, now: MonotonicTime) -> Permissions? {
        // Nobody moderates a direct conversation.
        guard !room.name.isDirect else { return [] }
        guard var sanctions = rooms[room]?.sanctions, sanctions.isLoaded else { return nil }
        return sanctions.sanction(of: user, now: now)?.withheld ?? []
    }

    /// Why a user may not become a member: a ban, as far as it is known. It is asked again when the store has answered.
    func refusalOfBanned(_ request: JoinRequest, now: MonotonicTime) -> HubAction? {
        guard withheld(from: request.member.user, in: request.room, now: now)?.contains(.read) == true else {
            return nil
        }
        return refuseJoin(request, .forbidden, "you are banned from this room")
    }

    /// Why a session may not be told of a room. The edge has asked whether it is a member; it may have been put out since.
    func refusalOfOutsider(_ requester: Requester, _ room: RoomID) -> HubAction? {
        guard case .session(let session) = requester.origin, !room.name.isDirect else { return nil }
        guard rooms[room]?.members[session] == nil else { return nil }
        return refuse(requester, .conflict, "join the room first")
    }

    /// Why a message may not be stored or delivered. What the server API sends is its operator's to decide.
    mutating func refusalToWrite(_ publication: Publication, now: MonotonicTime) -> HubAction? {
        guard case .session = publication.requester.origin else { return nil }
        let draft = publication.draft
        guard let index = rooms.index(forKey: draft.room) else {
            return draft.room.name.isDirect ? nil : refuse(publication.requester, .conflict, "join the room first")
        }
        // Asked in place, by every message: a copy of the room would be dear.
        let (isLoaded, sanction) = rooms.values[index].sanctions.look(for: draft.from.user, now: now)
        // Without members its mutes and bans may be unknown, and nobody may write.
        guard isLoaded || draft.room.name.isDirect else {
            return refuse(publication.requester, .conflict, "join the room first")
        }
        guard let sanction else { return nil }
        let message = "you are muted in this room"
        return refuse(publication.requester, .forbidden, message, retryAfter: sanction.until.since(now))
    }

    /// Whether a user may not speak in a room now.
    mutating func isSilenced(_ user: UserID, in room: RoomID, now: MonotonicTime) -> Bool {
        guard let index = rooms.index(forKey: room) else { return false }
        return rooms.values[index].sanctions.sanction(of: user, now: now) != nil
    }

    // MARK: From the store

    /// How many mutes and bans the store is to be asked for, of a room in memory.
    func sanctionsToRead(of id: RoomID) -> Int {
        !id.name.isDirect && rooms[id]?.sanctions.isLoaded == false ? limits.sanctionsReadMax : 0
    }

    /// Takes on what the store has told with a page. Members who turn out to be banned are put out.
    mutating func loadSanctions(
        _ page: HistoryPage, of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        rooms[id]?.sanctions.load(page.sanctions, now: now)
        putOutBanned(of: id, now: now, into: &actions)
    }

    /// Reads mutes and bans again where a write of one has failed, which may have been done.
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
        rooms[id]?.sanctions.answered(try? result.get().sanctions, now: now)
        putOutBanned(of: id, now: now, into: &actions)
    }

    private mutating func putOutBanned(of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let room = rooms[id], !room.sanctions.isEmpty, !room.users.isEmpty else { return }
        let banned = room.sanctions.banned(now: now).filter { room.users[$0] != nil }
        for user in banned.sorted() { putOut(user, of: id, "\(user) was banned", now: now, into: &actions) }
    }
}

extension RoomSanctions.Sanction {
    var withheld: Permissions { isBan ? .all : .write }
}

extension UserSanction {
    /// What it takes from the user.
    public var withheld: Permissions { isBan ? .all : .write }
}
