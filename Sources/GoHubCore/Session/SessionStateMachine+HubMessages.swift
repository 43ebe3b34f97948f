extension SessionStateMachine {
    /// Handles a shard's message to this session.
    ///
    /// Sends come last, after actions for reading and rooms: a send may fill the queue, and the shell then re-enters
    /// the session before these actions are complete. `exit` and `flush` send, too.
    package mutating func receivedFromHub(
        _ message: HubMessage, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard !isClosed else { return }
        switch message {
        case .welcome:
            guard case .registering(let identity) = phase else { return }
            phase = .active(identity, refreshing: nil)
            welcome(identity, at: wallTime, into: &actions)
        case .joined(let joined):
            let flush = flush(before: joined.room)
            let answer = self.joined(joined, into: &actions)
            send(answer, after: flush, andExecuteHeldFor: joined.room, now: now, at: wallTime, into: &actions)
        case .joinRefused(let room, let error):
            if let index = rooms.firstIndex(where: { $0.id.name == room }) {
                rooms[index].isJoining = false
                if !rooms[index].isJoined { rooms.remove(at: index) }
            }
            replied(by: error, into: &actions)
            send(error, andExecuteHeldFor: room, now: now, at: wallTime, into: &actions)
        case .left(let room, let event):
            if event.id != nil { replied(by: event, into: &actions) }
            exit(room, into: &actions)
            actions.append(.send(event))
        case .reply(let event):
            replied(by: event, into: &actions)
            actions.append(.send(event))
        case .members(let room, let event):
            replied(by: event, into: &actions)
            if let flush = flush(before: room) { actions.append(flush) }
            actions.append(.send(event))
        case .event(let event): actions.append(.send(event))
        case .close(let code): close(code, into: &actions)
        case .resync(let room, let delay):
            if let room { exit(room, into: &actions) }
            timers.resyncAt = min(timers.resyncAt, now + delay)
        case .measureIdle(let purpose):
            actions.append(.hub(.idleMeasured(id, now.since(timers.lastHeard), purpose)))
        }
    }

    /// - Returns: what must go before an answer that shows the room; `nil` if the session is not in it yet, because
    ///   then entering comes before the answer.
    private func flush(before name: RoomName) -> SessionAction? {
        rooms.first { $0.id.name == name && $0.isJoined }.map { .flush($0.id) }
    }

    /// - Returns: the event for the client.
    private mutating func joined(_ joined: Event.Joined, into actions: inout [SessionAction]) -> Event {
        let event = Event.joined(joined)
        guard let index = rooms.firstIndex(where: { $0.id.name == joined.room }) else {
            replied(by: event, into: &actions)
            return event
        }
        rooms[index].isJoining = false
        let room = rooms[index]
        if joined.room.isDirect {
            // There is no membership to keep: events reach the users on any device.
            rooms.remove(at: index)
        } else if !room.permissions.contains(.read) {
            // A token refresh has revoked access to the room since the join was requested: the client receives nothing
            // of it.
            replied(by: event, into: &actions)
            actions.append(leaveWithoutRequest(room.id))
            return .error(id: joined.id, code: .forbidden, message: Self.closedRoom)
        } else {
            rooms[index].isJoined = true
            if !room.isJoined { actions.append(.enter(room.id)) }
        }
        replied(by: event, into: &actions)
        return event
    }

    private mutating func exit(_ name: RoomName, into actions: inout [SessionAction]) {
        guard let index = rooms.firstIndex(where: { $0.id.name == name }) else { return }
        let room = rooms[index]
        if room.isJoining {
            rooms[index].isJoined = false
        } else {
            rooms.remove(at: index)
        }
        if room.isJoined { actions.append(.exit(room.id)) }
    }

    private mutating func replied(by event: Event, into actions: inout [SessionAction]) {
        if pageCount > 0, let id = event.id, let count = pagesInFlight[id] {
            pagesInFlight[id] = count > 1 ? count - 1 : nil
            pageCount -= 1
        }
        commandsInFlight = max(0, commandsInFlight - 1)
        startJoins(into: &actions)
        updateReading(into: &actions)
    }
}
