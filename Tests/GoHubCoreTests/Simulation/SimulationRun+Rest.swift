@testable import GoHubCore

/// What must hold once nothing is in flight.
extension SimulationRun {
    func checkRest() {
        for hub in hubs { hub.checkQuiescence() }
        for hub in hubs { checkViews(of: hub) }
        checkHistory()
        checkDirectMessages()
        checkKeys()
    }

    /// With a bus, a device has one session in the whole cluster.
    private func checkKeys() {
        guard let bus, !bus.losesMessages else { return }
        var sessions: [SessionKey: SessionID] = [:]
        for hub in hubs {
            for id in hub.openSessions {
                guard let key = hub.keys[id] else { continue }
                if let other = sessions.updateValue(id, forKey: key) {
                    log.report(Violation(.sessions, "\(other) and \(id) are sessions of \(key)"))
                }
            }
        }
    }

    /// Members have received everything in the store, even without repeats of appends with an unknown outcome.
    ///
    /// - Returns: a member who has not.
    func findMemberBehind() -> String? {
        for hub in hubs {
            for session in hub.openSessions {
                guard let view = log.views[session], view.isWelcomed else { continue }
                for name in view.joinedRooms {
                    let head = page(of: name, .newest, messagesMax: 1).head
                    guard let position = view.position(in: name), hubs.count > 1 || head.epoch == position.epoch
                    else { continue }
                    if head != position { return "\(session) was told \(name) up to \(position), not \(head)" }
                }
            }
        }
        return nil
    }

    private func page(
        of room: RoomName, _ range: HistoryRange, messagesMax: Int, receiptsMax: Int = 0
    ) -> HistoryPage {
        store.readHistory(
            HistoryRequest(
                room: RoomID(tenant: .standard, name: room), range: range, messagesMax: messagesMax, bytesMax: .max,
                receiptsMax: receiptsMax))
    }

    private func checkViews(of hub: SimulatedHub) {
        for session in hub.openSessions {
            guard let view = log.views[session], view.isWelcomed else { continue }
            if !view.awaited.isEmpty {
                log.report(Violation(.completeness, "\(session) never got a reply to \(view.awaited)"))
            }
            for name in Self.rooms {
                let id = RoomID(tenant: .standard, name: name)
                let room = hub.state(of: id).rooms[id]
                let isMember = room?.members[session] != nil
                if isMember != (view.present(in: name) != nil) {
                    log.report(Violation(.sessions, "\(session) errs about being in \(name)"))
                }
                if isMember, let room { check(view, of: session, in: name, room, hub) }
            }
        }
    }

    /// The users of a room: with a bus those on all hubs.
    private func users(of name: RoomName, on room: Room) -> Set<UserID> {
        guard bus != nil else { return Set(room.users.keys) }
        let id = RoomID(tenant: .standard, name: name)
        return Set(hubs.flatMap { $0.state(of: id).rooms[id].map { Array($0.users.keys) } ?? [] })
    }

    private func check(
        _ view: ClientView, of session: SessionID, in name: RoomName, _ room: Room, _ hub: SimulatedHub
    ) {
        let users = users(of: name, on: room)
        if view.present(in: name) != users {
            let present = view.present(in: name) ?? []
            log.report(
                Violation(
                    .presence,
                    "\(session) takes \(present) for present in \(name): \(users), its hub \(hub.members(of: name))"))
        }
        if view.count(in: name) != users.count {
            let count = view.count(in: name) ?? 0
            log.report(Violation(.counts, "\(session) counts \(count) users in \(name): \(users.count)"))
        }
        let whole = page(of: name, .after(0), messagesMax: .max, receiptsMax: 100)
        for (user, receipt) in view.receipts(in: name) ?? [:] where whole.head.epoch == room.head?.epoch {
            let stored = whole.receipts.first { $0.user == user }?.receipt.limited(to: room.head?.offset ?? 0)
            // Another hub's receipts are told with the next join.
            var further = stored
            further?.advance(to: receipt)
            if hubs.count == 1 ? stored != receipt : stored != further {
                let text = "\(session) has \(receipt) of \(user) in \(name), the store \(stored as Any)"
                log.report(Violation(.receipts, text))
            }
        }
        if whole.head == room.head, let problem = view.messages(in: name)?.problem(against: whole.messages) {
            log.report(Violation(.order, "\(session), \(name): \(problem)"))
        }
        if view.position(in: name) != room.head {
            log.report(Violation(.completeness, "\(session) missed the end of \(name)"))
        }
    }

    /// All sessions that were there have received a direct message that was acknowledged, on whatever hub.
    private func checkDirectMessages() {
        if losesRooms { return }
        let open = Set(hubs.flatMap(\.openSessions))
        for (place, said) in log.history.acknowledged where place.room.isDirect {
            let sessions = log.expected[ToldHistory.Sent(user: said.user, id: said.id)] ?? []
            for session in sessions where open.contains(session) {
                guard log.views[session]?.direct.contains(place) != true, !isDeleted(place) else { continue }
                log.report(Violation(.completeness, "\(session) never got \(place)"))
            }
        }
    }

    /// A message that was deleted while its outcome was unknown isn't delivered any more.
    private func isDeleted(_ place: ToldHistory.Place) -> Bool {
        let stored = page(of: place.room, .after(place.position.offset - 1), messagesMax: 1).messages.first
        return stored?.amendments?.deleted != nil
    }

    private func checkHistory() {
        if losesRooms { return }
        for room in Set(log.history.messages.keys.map(\.room)).union(log.history.acknowledged.keys.map(\.room)) {
            let page = page(of: room, .after(0), messagesMax: .max)
            if page.messages.map(\.offset) != Array(0..<page.head.offset).map({ $0 + 1 }) {
                log.report(Violation(.durability, "\(room) has a hole in the store"))
            }
            let ids = page.messages.map { "\($0.from.user) \($0.id)" }
            if Set(ids).count != ids.count { log.report(Violation(.durability, "\(room) holds a message twice")) }
            for (place, said) in log.history.acknowledged where place.room == room {
                let stored = page.messages.first { $0.offset == place.position.offset }
                if stored?.id != said.id || stored?.from.user != said.user {
                    log.report(Violation(.durability, "what was acknowledged at \(place) isn't there"))
                }
            }
            for (place, words) in log.history.messages where place.room == room {
                let stored = page.messages.first { $0.offset == place.position.offset }
                let hasOwnText = stored?.amendments?.edited == nil && stored?.amendments?.deleted == nil
                if stored?.id != words.id || stored?.change != words.change
                    || (hasOwnText && words.change == nil && words.text != stored?.text)
                {
                    log.report(Violation(.durability, "\(place) was told but not stored"))
                }
            }
        }
    }
}
