/// A session as registered with its user's owner.
///
/// Exits: `waiting` → `live` when the bus is ready, or there is none; `live`, `waiting` → `ending` when it is replaced
/// or has ended → removed when every room's owner has cleared it; then its successor, if one waits, becomes `live`.
struct RegisteredSession: Sendable {
    enum Phase: Sendable {
        /// Registered, and not welcomed yet, because the other nodes haven't heard of it.
        case waiting
        case live
        /// The session has ended. `roomsLeft` counts down as room owners confirm. It is below 0 while confirmations
        /// arrive before the session's own message, which adds the number of its rooms.
        case ending(roomsLeft: Int, isDisconnected: Bool)
    }

    var id: SessionID
    var phase = Phase.live
    /// A newer session of the same key. It is accepted once this one has left every room.
    var successor: SessionID?
}

extension HubState {
    /// Registers a session with verified credentials under its key.
    ///
    /// A live session with the same key is closed first. The newer one is accepted only when the older one has left
    /// every room, so that no room ever contains both.
    package mutating func connected(
        _ session: SessionID, _ key: SessionKey, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard case .none = drain else { return actions.append(.send(session, .close(.serviceRestart))) }
        if let entry = users[key.user]?[key.device] { return replace(entry, key, by: session, into: &actions) }
        guard (users[key.user]?.count ?? 0) < limits.sessionsPerUserMax else {
            return actions.append(.send(session, .close(.connectionLimit)))
        }
        guard sessionCount < limits.sessionsPerShardMax else {
            return actions.append(.send(session, .close(.tryAgainLater)))
        }
        users[key.user, default: [:]][key.device] = RegisteredSession(id: session)
        sessionCount += 1
        accept(key, now: now, into: &actions)
    }

    /// Welcomes the registered session of a key. In a cluster the node first hears the messages to its user, and claims
    /// the session.
    private mutating func accept(_ key: SessionKey, now: MonotonicTime, into actions: inout [HubAction]) {
        if subscribe(to: .user(key.user), into: &actions) { return claim(key, now: now, into: &actions) }
        users[key.user]?[key.device]?.phase = .waiting
        if bus.welcomes[key.user]?.contains(key) != true { bus.welcomes[key.user, default: []].append(key) }
    }

    /// Welcomes the session that has the key now.
    mutating func welcome(_ key: SessionKey, into actions: inout [HubAction]) {
        guard let entry = users[key.user]?[key.device] else { return }
        switch entry.phase {
        case .ending: return
        case .waiting, .live: break
        }
        guard case .none = drain else { return actions.append(.send(entry.id, .close(.serviceRestart))) }
        users[key.user]?[key.device]?.phase = .live
        actions.append(.send(entry.id, .welcome))
    }

    private mutating func replace(
        _ older: RegisteredSession, _ key: SessionKey, by newer: SessionID, into actions: inout [HubAction]
    ) {
        var entry = older
        switch entry.phase {
        case .ending: break
        case .live, .waiting:
            entry.phase = .ending(roomsLeft: 0, isDisconnected: false)
            actions.append(.send(entry.id, .close(.replaced)))
        }
        if let waiting = entry.successor { actions.append(.send(waiting, .close(.replaced))) }
        entry.successor = newer
        users[key.user]?[key.device] = entry
    }

    /// Handles the end of a session, for whatever reason.
    package mutating func disconnected(
        _ session: SessionID, _ key: SessionKey, rooms: Int, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard var entry = users[key.user]?[key.device] else { return }
        guard entry.id == session else {
            // A successor was closed while it waited.
            if entry.successor == session { users[key.user]?[key.device]?.successor = nil }
            return
        }
        var roomsLeft = rooms
        if case .ending(let cleared, _) = entry.phase { roomsLeft += cleared }
        entry.phase = .ending(roomsLeft: roomsLeft, isDisconnected: true)
        finish(entry, key, now: now, into: &actions)
    }

    /// Handles the confirmation of a room's owner that the session was removed.
    package mutating func roomCleared(
        _ session: SessionID, _ key: SessionKey, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard var entry = users[key.user]?[key.device], entry.id == session else { return }
        switch entry.phase {
        case .live, .waiting: entry.phase = .ending(roomsLeft: -1, isDisconnected: false)
        case .ending(let roomsLeft, let isDisconnected):
            entry.phase = .ending(roomsLeft: roomsLeft - 1, isDisconnected: isDisconnected)
        }
        finish(entry, key, now: now, into: &actions)
    }

    /// Keeps an ending session until it has left all rooms, then accepts its successor.
    private mutating func finish(
        _ entry: RegisteredSession, _ key: SessionKey, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard case .ending(0, isDisconnected: true) = entry.phase else {
            users[key.user]?[key.device] = entry
            return
        }
        claimEnded(entry.id, key, now: now, into: &actions)
        if case .none = drain, let successor = entry.successor {
            users[key.user]?[key.device] = RegisteredSession(id: successor)
            return accept(key, now: now, into: &actions)
        }
        users[key.user]?[key.device] = nil
        if users[key.user]?.isEmpty == true {
            users[key.user] = nil
            unsubscribe(from: .user(key.user), into: &actions)
        }
        sessionCount -= 1
        if let successor = entry.successor { actions.append(.send(successor, .close(.serviceRestart))) }
        drainProgress(into: &actions)
    }

    /// Sends an event to all devices of a user.
    package mutating func userAddressed(_ user: UserKey, _ event: Event, into actions: inout [HubAction]) {
        if claims != nil, case .receipt(let room, let receipts) = event {
            return tellReceipts(receipts, nil, in: room, to: user, into: &actions)
        }
        for session in liveSessions(of: user) { actions.append(.send(session, .event(event))) }
    }

    /// Sends receipts of a direct conversation to all devices of a user, as far as they are news to them.
    mutating func tellReceipts(
        _ receipts: [UserReceipt], _ epoch: Epoch?, in room: RoomName, to user: UserKey,
        into actions: inout [HubAction]
    ) {
        let news = bus.directReceipts.news(receipts, epoch, in: room, to: user)
        guard !news.isEmpty else { return }
        for session in liveSessions(of: user) { actions.append(.send(session, .event(.receipt(room: room, news)))) }
    }

    /// Answers a join of a direct conversation. The session may have ended since.
    mutating func conversationJoined(
        _ session: SessionID, _ user: UserKey, _ joined: Event.Joined, into actions: inout [HubAction]
    ) {
        if claims != nil {
            _ = bus.directReceipts.news(joined.receipts, joined.head.epoch, in: joined.room, to: user)
        }
        actions.append(.send(session, .joined(joined)))
    }

    /// Closes every session of a user, including those that wait to be accepted.
    package func userRemoved(_ user: UserKey, _ code: CloseCode, into actions: inout [HubAction]) {
        let waiting = (users[user] ?? [:]).values.flatMap { entry in
            let isWaiting = if case .waiting = entry.phase { true } else { false }
            return [isWaiting ? entry.id : nil, entry.successor].compactMap(\.self)
        }
        for session in liveSessions(of: user) + waiting { actions.append(.send(session, .close(code))) }
    }

    /// The user's accepted sessions that are not ending, in a stable order.
    package func liveSessions(of user: UserKey) -> [SessionID] {
        (users[user] ?? [:]).values
            .filter { if case .live = $0.phase { true } else { false } }
            .map(\.id)
            .sorted { ($0.edge.index, $0.serial) < ($1.edge.index, $1.serial) }
    }
}
