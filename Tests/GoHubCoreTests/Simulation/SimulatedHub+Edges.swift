import GoHubTestSupport

@testable import GoHubCore

/// The hub's edges: its clients' connections.
extension SimulatedHub {
    /// An object, because a copy of all that it has would take much of a run's time.
    final class Connection {
        var machine: SessionStateMachine
        var queue: OutboundQueue<EncodedEvent>
        var commands: [Command] = []
        var isReadingPaused = false
        /// What the client has of its rooms, once it has read the queue.
        var positions: [RoomName: Position] = [:]

        init(machine: SessionStateMachine, queue: OutboundQueue<EncodedEvent>) {
            self.machine = machine
            self.queue = queue
        }
    }

    // MARK: Client steps

    func open(_ credentials: Credentials, _ device: DeviceID, on edge: Int) -> SessionID {
        lastSerial += 1
        let id = SessionID.number(lastSerial, edge: edge)
        let machine = SessionStateMachine(
            id: id, context: context, address: "192.0.2.1", credentials: credentials, now: now, at: wall)
        let limits = context.limits
        connections[id] = Connection(
            machine: machine,
            queue: OutboundQueue(bytesMax: limits.queueBytesMax, watermarkBytes: limits.queueWatermarkBytes))
        let key = SessionKey(user: credentials.userKey, device: device)
        let older = keys.filter { $0.value == key }.map(\.key)
        if !older.isEmpty { rivals.formUnion(older + [id]) }
        bus?.noteOpened(id, key)
        openSessions.append(id)
        keys[id] = key
        return id
    }

    /// - Returns: false if too many commands are already in flight.
    func send(_ command: Command, from id: SessionID) -> Bool {
        guard let waiting = connections[id]?.commands.count, waiting < 6 else { return false }
        connections[id]?.commands.append(command)
        return true
    }

    /// The client is gone. A hub that stands still notices it afterwards.
    func drop(_ id: SessionID) {
        observer.told(id, nil)
        guard !isPaused else { return goneSessions.append(id) }
        with(id) { $0.transportClosed(into: &$1) }
        forget(id)
    }

    func canBeRead(_ id: SessionID) -> Bool {
        guard let connection = connections[id] else { return false }
        return !connection.isReadingPaused && !connection.commands.isEmpty
    }

    func readCommand(_ id: SessionID) {
        guard let command = connections[id]?.commands.takeFirst() else { return }
        noteBan(command, of: id)
        with(id) { $0.received(command, now: now, at: wall, into: &$1) }
    }

    func takeEvent(_ id: SessionID) {
        guard let wasAbove = connections[id]?.queue.isAboveWatermark, let event = connections[id]?.queue.take() else {
            return
        }
        checkBan(event.event, of: id)
        tell(event.event, to: id)
        if wasAbove, connections[id]?.queue.isAboveWatermark == false {
            with(id) { $0.backlogChanged(false, into: &$1) }
        }
    }

    func tell(_ event: Event, to id: SessionID) {
        for event in planted.told(event) { observer.told(id, event) }
    }

    // MARK: Sessions

    func with(_ id: SessionID, _ body: (inout SessionStateMachine, inout [SessionAction]) -> Void) {
        guard let connection = connections[id] else { return }
        areSessionsChanged = true
        let wasClosed = connection.machine.isClosed
        var actions: [SessionAction] = []
        body(&connection.machine, &actions)
        if wasClosed, !actions.isEmpty { report(.sessions, "\(id) acts after its end: \(actions)") }
        for action in actions { perform(action, of: id) }
    }

    private func perform(_ action: SessionAction, of id: SessionID) {
        observer.acted(action)
        switch action {
        case .send(let event): offer(EncodedEvent(event), to: id)
        case .hub(let input): post(input, from: id.edge.index)
        case .ask(.verify): report(.dialogue, "\(id) came with verified credentials")
        case .ask(.transfer), .release: report(.dialogue, "\(id) sends files, and there are none")
        case .enter(let room): members[id.edge.index][room, default: []].insert(id)
        case .exit(let room):
            if planted.strikes(.exitIgnored, every: 10) { return }
            members[id.edge.index][room]?.remove(id)
        // Each event has gone to its sessions at once.
        case .flush: break
        case .pauseReading:
            if planted.strikes(.pauseIgnored) { return }
            connections[id]?.isReadingPaused = true
        case .resumeReading: connections[id]?.isReadingPaused = false
        case .close(let code):
            checkClose(code, of: id)
            // Accepted events are written before the close, but not after an overflow.
            if connections[id]?.queue.hasOverflowed == true { connections[id]?.queue.removeAll() }
            while let event = connections[id]?.queue.take() { tell(event.event, to: id) }
            forget(id)
            observer.told(id, nil)
        }
    }

    func offer(_ event: EncodedEvent, to id: SessionID) {
        guard let connection = connections[id] else {
            return report(.sessions, "\(id) is sent to after its end: \(event.text)")
        }
        if connection.queue.hasOverflowed { return }
        connections[id]?.note(event.event)
        let result = connections[id]?.queue.offer(event)
        switch result {
        case .accepted, nil: break
        case .acceptedAboveWatermark: with(id) { $0.backlogChanged(true, into: &$1) }
        case .overflow: with(id) { $0.overflowed(into: &$1) }
        }
    }

    func forget(_ id: SessionID) {
        connections[id] = nil
        openSessions.removeAll { $0 == id }
    }

    // MARK: Bans

    private func isBanned(_ user: UserID, from room: RoomID) -> Bool { moderation.isBanned(user, from: room) }

    private func noteBan(_ command: Command, of id: SessionID) {
        guard case .join(let join) = command, let key = keys[id] else { return }
        guard isBanned(key.user.user, from: RoomID(tenant: key.user.tenant, name: join.room)) else { return }
        bannedJoins[join.id] = moderation.pardons
    }

    private func checkBan(_ event: Event, of id: SessionID) {
        guard case .joined(let joined) = event, let pardons = bannedJoins[joined.id] else { return }
        if pardons == moderation.pardons {
            report(.sanctions, "\(id) has joined \(joined.room) after a ban was confirmed")
        }
    }

    // MARK: Closes

    /// A hub closes a session because of its own key, its own queue, its own rooms or the hub's own drain.
    private func checkClose(_ code: CloseCode, of id: SessionID) {
        switch code {
        case .slowConsumer where connections[id]?.queue.hasOverflowed == true: break
        case .replaced where rivals.contains(id): break
        case .serviceRestart where isDraining: break
        // Another hub has, or had, a session of the key.
        case .replaced where bus?.hasRival(id) == true, .serviceRestart where bus?.hasRival(id) == true: break
        case .resyncNeeded: if !mustResync(id) { report(.resync, "\(id) must resync for no reason") }
        default: report(.endings, "\(id) is closed with \(code.rawValue) for no reason")
        }
    }

    private func mustResync(_ id: SessionID) -> Bool {
        (connections[id]?.positions ?? [:]).contains { room, position in
            let request = HistoryRequest(
                room: RoomID(tenant: .standard, name: room), range: .newest, messagesMax: 1, bytesMax: 1)
            let head = store.readHistory(request).head
            // An answer of the store from before the change may come after one from afterwards.
            let hasChanged = head.epoch != position.epoch || head.epoch != firstEpoch
            return hasChanged
                || view != nil && head.offset > position.offset + cluster.lagEntriesMax
        }
    }
}

extension SimulatedHub.Connection {
    fileprivate func note(_ event: Event) {
        switch event {
        case .joined(let joined) where !joined.room.isDirect: positions[joined.room] = joined.head
        case .message(let room, let message): positions[room]?.offset = message.offset
        case .left(_, let room, _): positions[room] = nil
        default: break
        }
    }
}
