import GoHubTestSupport

@testable import GoHubCore

/// What clients do.
extension SimulationRun {
    /// Every connected client repeats its unacknowledged messages.
    mutating func sendAgain() {
        let acknowledged = Set(log.history.acknowledged.values.map { ToldHistory.Sent(user: $0.user, id: $0.id) })
        for client in clients {
            guard let session = client.session, let view = log.views[session], view.isWelcomed, !view.isOver else {
                continue
            }
            for command in client.sends {
                guard let id = command.id, !acknowledged.contains(.init(user: client.user, id: id)),
                    hubs[client.hub].send(command, from: session)
                else { continue }
                log.views[session]?.sent(command)
                log.seen.note("sent again")
            }
        }
    }

    mutating func act() {
        let index = Int.random(in: clients.indices, using: &random)
        guard let session = clients[index].session, let view = log.views[session], !view.isOver else {
            if random.once(in: 2) { connect(index) }
            return
        }
        switch Int.random(in: 0..<40, using: &random) {
        case 0: connect(index)  // without a close from the older connection
        case 1:
            hubs[clients[index].hub].drop(session)
            clients[index].session = nil
        default:
            guard view.isWelcomed, let command = makeCommand(index, view) else { return }
            guard hubs[clients[index].hub].send(command, from: session) else { return }
            log.views[session]?.sent(command)
            if let id = command.id {
                log.receipts.asked(id)
                expect(command, id, by: clients[index].user)
            }
        }
    }

    /// Notes who must receive a message or a change in a direct conversation.
    private func expect(_ command: Command, _ id: CommandID, by user: UserID) {
        let users: (UserID, UserID)?
        switch command {
        case .send(let send) where !send.isEphemeral:
            if case .user(let other) = send.target { users = (user, other) } else { users = nil }
        case .change(let change): users = change.room.participants
        default: users = nil
        }
        let sent = ToldHistory.Sent(user: user, id: id)
        guard let (first, second) = users, log.expected[sent] == nil else { return }
        log.expected[sent] = log.views.filter { _, view in
            view.isWelcomed && !view.isOver && (view.user == first || view.user == second)
        }.map(\.key)
    }

    mutating func connect(_ index: Int) {
        let client = clients[index]
        let hub = random.pick(hubs) ?? hubs[client.hub]
        if hub.index != client.hub { log.seen.note(SimulationSeen.moved) }
        clients[index].hub = hub.index
        let edge = Int.random(in: 0..<SimulatedHub.edgeCount, using: &random)
        let credentials = Credentials(user: client.user, grants: .moderator)
        let session = hub.open(credentials, client.device, on: edge)
        clients[index].session = session
        log.views[session] = ClientView(client: index, user: client.user, limits: limits)
        _ = hub.send(.hello(.init(device: client.device)), from: session)
    }

    mutating func makeCommand(_ index: Int, _ view: ClientView) -> Command? {
        lastID += 1
        let id = CommandID.named("c\(lastID)")
        guard let room = random.pick(Self.rooms), let other = random.pick(clients.map(\.user)) else { return nil }
        switch Int.random(in: 0..<32, using: &random) {
        case 24...29:
            let named = random.once(in: 5) ? .direct(clients[index].user, other) : random.pick(view.joinedRooms) ?? room
            let request = Command.Change(
                id: id, room: named, of: makeTarget(view.position(in: named)?.offset ?? 6), makeChange(id))
            clients[index].sends = clients[index].sends.suffix(5) + [.change(request)]
            return .change(request)
        case 20...22:
            let named = random.once(in: 4) ? .direct(clients[index].user, other) : random.pick(view.joinedRooms) ?? room
            let last = (view.position(in: named)?.offset ?? 3) + (random.once(in: 8) ? 5 : 0)
            let offset = Offset.random(in: 0...last, using: &random)
            return .receipt(room: named, random.once(in: 2) ? Receipt(delivered: offset) : Receipt(seen: offset))
        case 23: return .rooms(id: id, after: random.once(in: 2) ? room : nil, limit: 2)
        case 0...4:
            let since = random.once(in: 4) ? nil : log.positions[index]?[room]
            let limit = since == nil ? Int.random(in: 0...5, using: &random) : nil
            return .join(.init(id: id, room: room, since: since, limit: limit))
        case 5: return .leave(id: id, room: room)
        case 6: return .who(id: id, room: room)
        case 7:
            let range = random.pick([HistoryRange.newest, .before(5), .after(2)]) ?? .newest
            return .history(id: id, room: room, range: range, limit: 5)
        case 8: return .typing(room: room, active: true)
        case 9, 30, 31:
            let verb = random.pick(["/kick", "/mute", "/ban", "/ban", "/pardon", "/pardon"]) ?? "/kick"
            return .send(.init(id: id, target: .room(random.pick(view.joinedRooms) ?? room), text: "\(verb) \(other)"))
        case 10: return .join(.init(id: id, room: .direct(clients[index].user, other), limit: 3))
        case 11:
            // A retry, which must not be stored twice.
            return random.pick(clients[index].sends.filter { view.awaited[$0.id ?? id] == nil })
        default:
            let target: Command.Send.Target =
                random.once(in: 5) ? .user(other) : .room(random.pick(view.joinedRooms) ?? room)
            let text = String(repeating: "x", count: Int.random(in: 1...200, using: &random))
            let send = Command.Send(id: id, target: target, text: text, isEphemeral: random.once(in: 10))
            if !send.isEphemeral { clients[index].sends = clients[index].sends.suffix(5) + [.send(send)] }
            return .send(send)
        }
    }

    /// Mostly one of the last few messages, some of which are changes and some other users'. Sometimes one that doesn't
    /// exist.
    mutating func makeTarget(_ last: Offset) -> Offset {
        let first = last - min(last, 6)
        return .random(in: first...(last + (random.once(in: 10) ? 2 : 0)), using: &random)
    }

    mutating func makeChange(_ id: CommandID) -> Command.Change.Kind {
        switch Int.random(in: 0..<8, using: &random) {
        case 0...1: .edit("text of \(id)")
        case 2...4: .delete
        default: .react(random.pick([.thumb, .heart]) ?? .thumb, isRemoval: random.once(in: 3))
        }
    }
}
