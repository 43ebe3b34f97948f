internal import GoHubCore

/// Sessions at the edge: their inputs and their actions. Inputs for the hub go directly to the owning shard; those for
/// other loops wait for the end of the turn.
extension HubLoop {
    /// Passes an input to a session and performs its actions.
    func drive(_ session: WireSession, _ input: (inout SessionStateMachine, inout [SessionAction]) -> Void) {
        var wanted = spareActions.popLast() ?? []
        input(&session.machine, &wanted)
        // Taken from the end, which costs less than a copy. Most inputs cause one action.
        if wanted.count > 1 { wanted.reverse() }
        // Sending may overflow the queue: then the session has left its rooms and must not enter another. A connection
        // has no other session while it is open.
        while session.connection.isOpen, let action = wanted.popLast() { carryOut(action, of: session) }
        if !wanted.isEmpty { wanted.removeAll(keepingCapacity: true) }
        spareActions.append(wanted)
    }

    func carryOut(_ action: consuming SessionAction, of session: WireSession) {
        let connection = session.connection
        switch consume action {
        case .send(let event): offer(event, to: connection)
        case .hub(let input): route(input)
        case .ask(let request): ask(request, for: connection)
        case .enter(let room):
            fanOut.enter(session, room) { slow.append($0) }
            dropSlow()
        case .exit(let room):
            fanOut.exit(session, room) { slow.append($0) }
            dropSlow()
        case .flush(let room):
            fanOut.flush(room) { slow.append($0) }
            dropSlow()
        case .release(let lease): context.files?.release(lease)
        case .pauseReading: connection.pauseReading()
        case .resumeReading: connection.resumeReading()
        case .close(let code):
            metrics.closed(code)
            connection.close(code)
        }
    }

    /// Routes an input to the shard that owns its room or user, possibly this loop's own.
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

    /// Asks the token verifier or the file store, off the loop; the answer arrives in the mailbox.
    func ask(_ request: SessionRequest, for connection: Connection) {
        let (context, mailbox, serial) = (context, shared.mailboxes[index], connection.serial)
        context.perform(request, verifier: shared.verifier) { answer in
            if !mailbox.put([.answered(serial: serial, answer)]) { context.discard(answer) }
        }
    }

    /// Drops clients whose queues overflowed, one at a time. Leaving a room first sends its pending frames, so queues
    /// of other members may overflow: these are dropped afterwards, without recursion.
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
