internal import GoHubCore

/// Sessions at the edge: what they are told, and what they ask for. What is for the hub goes straight to the shard that
/// owns it, and waits there for the turn's end.
extension HubLoop {
    /// Gives a session an input, and carries out what it asks for.
    func drive(_ session: WireSession, _ input: (inout SessionStateMachine, inout [SessionAction]) -> Void) {
        var wanted = spareActions.popLast() ?? []
        input(&session.machine, &wanted)
        var next = 0
        // What was sent may have been too much: then the session has left its rooms, and must not enter one.
        while next < wanted.count, session.connection.session === session {
            // Taken out, which costs less than a copy of it.
            var action = SessionAction.pauseReading
            swap(&action, &wanted[next])
            carryOut(action, of: session)
            next += 1
        }
        wanted.removeAll(keepingCapacity: true)
        spareActions.append(wanted)
    }

    private func carryOut(_ action: consuming SessionAction, of session: WireSession) {
        let connection = session.connection
        switch consume action {
        case .send(let event): offer(event, to: connection)
        case .hub(let input): route(input)
        case .verify(let token): verify(token, for: connection)
        case .enter(let room):
            fanOut.enter(session, room) { slow.append($0) }
            dropSlow()
        case .exit(let room):
            fanOut.exit(session, room) { slow.append($0) }
            dropSlow()
        case .transfer(let transfer, let request): start(request, transfer, of: connection)
        case .release(let lease): context.files?.release(lease)
        case .pauseReading: connection.pauseReading()
        case .resumeReading: connection.resumeReading()
        case .close(let code):
            metrics.closed(code)
            connection.session = nil
            connection.close(code)
        }
    }

    /// To the shard that owns what the input speaks of; possibly this one.
    func route(_ input: HubInput) {
        let owner = shared.shard(for: input)
        if owner == index {
            shard.add(input)
        } else {
            outboxes[owner].append(.input(input))
        }
    }

    private func offer(_ event: Event, to connection: Connection) {
        guard connection.isOpen else { return }
        var result = OfferResult.accepted
        encoder.encode(event) { result = connection.offer($0) }
        if result == .overflow { overflowed(connection) }
    }

    /// On the file store's threads: the answer comes through the mailbox.
    private func start(_ request: TransferRequest, _ transfer: UInt32, of connection: Connection) {
        guard let files = context.files else { return }
        let mailbox = shared.mailboxes[index]
        let serial = connection.serial
        files.perform(request) { answer in
            if !mailbox.put([.transferred(serial: serial, transfer, answer)]) { files.discard(answer) }
        }
    }

    /// Drops those whose queue is full. Each leaves its rooms, which sends what these have for others first, whose
    /// queues may then be full as well: they are dropped after it, not inside it.
    func dropSlow() {
        guard !isDroppingSlow, !slow.isEmpty else { return }
        isDroppingSlow = true
        var next = 0
        while next < slow.count {
            if let session = slow[next].session { drive(session) { $0.overflowed(into: &$1) } }
            next += 1
        }
        slow = []
        isDroppingSlow = false
    }
}
