extension SessionStateMachine {
    /// What a shard tells this session.
    ///
    /// What is sent comes last, after what the reading and the rooms need: sending may fill the queue, and the shell
    /// then comes back to the session before it is through with these actions.
    public mutating func told(_ message: HubMessage, now: MonotonicTime, at wallTime: WallTime) -> [SessionAction] {
        guard phase != .closed else { return [] }
        switch message {
        case .welcome:
            guard phase == .registering else { return [] }
            phase = .active
            return welcome(at: wallTime)
        case .joined(let joined):
            guard let index = rooms.firstIndex(where: { $0.id.name == joined.room }) else {
                return replied(to: joined.id)
            }
            rooms[index].isJoining = false
            if joined.room.isDirect {
                // No membership to keep: it reaches its users wherever they are.
                rooms.remove(at: index)
                return replied(to: joined.id) + [.send(.joined(joined))]
            }
            let isNew = !rooms[index].isJoined
            rooms[index].isJoined = true
            // A refresh may have taken the room away while the join was under way.
            let withdrawal = rooms[index].permissions.contains(.read) ? [] : withdraw(rooms[index].id)
            return (isNew ? [.enter(rooms[index].id)] : []) + replied(to: joined.id) + withdrawal + [
                .send(.joined(joined))
            ]
        case .joinRefused(let room, let error):
            if let index = rooms.firstIndex(where: { $0.id.name == room }) {
                rooms[index].isJoining = false
                if !rooms[index].isJoined { rooms.remove(at: index) }
            }
            return replied(to: error.id) + [.send(error)]
        case .left(let room, let event):
            var actions = exit(room)
            if case .left(let id?, _, _) = event { actions += replied(to: id) }
            return actions + [.send(event)]
        case .reply(let event): return replied(to: event.id) + [.send(event)]
        case .event(let event): return [.send(event)]
        case .close(let code): return close(code)
        }
    }

    private mutating func exit(_ name: RoomName) -> [SessionAction] {
        guard let index = rooms.firstIndex(where: { $0.id.name == name }) else { return [] }
        let room = rooms[index]
        if room.isJoining {
            rooms[index].isJoined = false
        } else {
            rooms.remove(at: index)
        }
        return room.isJoined ? [.exit(room.id)] : []
    }

    private mutating func replied(to id: CommandID?) -> [SessionAction] {
        if let id, let count = pagesInFlight[id] { pagesInFlight[id] = count > 1 ? count - 1 : nil }
        commandsInFlight = max(0, commandsInFlight - 1)
        return updateReading()
    }
}
