extension SessionStateMachine {
    /// What a shard tells this session.
    public mutating func told(_ message: HubMessage, now: MonotonicTime, at wallTime: WallTime) -> [SessionAction] {
        guard phase != .closed else { return [] }
        switch message {
        case .welcome:
            guard phase == .registering else { return [] }
            phase = .active
            return welcome(at: wallTime)
        case .joined(let joined):
            guard let index = rooms.firstIndex(where: { $0.id.name == joined.room }) else { return replied() }
            if joined.room.isDirect {
                // No membership to keep: it reaches its users wherever they are.
                rooms.remove(at: index)
                return [.send(.joined(joined))] + replied()
            }
            let isNew = !rooms[index].isJoined
            rooms[index].isJoined = true
            return [.send(.joined(joined))] + (isNew ? [.enter(rooms[index].id)] : []) + replied()
        case .joinRefused(let room, let error):
            rooms.removeAll { $0.id.name == room && !$0.isJoined }
            return [.send(error)] + replied()
        case .left(let room, let event):
            var actions = exit(room)
            if case .left(let id, _, _) = event, id != nil { actions += replied() }
            return actions + [.send(event)]
        case .reply(let event): return [.send(event)] + replied()
        case .event(let event): return [.send(event)]
        case .close(let code): return close(code)
        }
    }

    private mutating func exit(_ name: RoomName) -> [SessionAction] {
        guard let index = rooms.firstIndex(where: { $0.id.name == name }) else { return [] }
        let room = rooms.remove(at: index)
        return room.isJoined ? [.exit(room.id)] : []
    }

    private mutating func replied() -> [SessionAction] {
        commandsInFlight = max(0, commandsInFlight - 1)
        return updateReading()
    }
}
