internal import GoHubCore
internal import GoHubSystem

/// What comes from other loops and threads.
extension HubLoop {
    /// - Returns: whether there was anything.
    @discardableResult
    func readMailbox() -> Bool {
        let messages = shared.mailboxes[index].fetch()
        for message in messages {
            switch message {
            case .accepted(let descriptor, let peer): adopt(descriptor, peer)
            case .slot(let notice): noticed(notice)
            case .input(let input): shard.add(input)
            case .send(let session, let message): send(session, message)
            case .deliver(let event, let room): deliverHere(event, room)
            case .answer(let number, let event): answer(number, event)
            case .verified(let serial, let result): verified(serial, result)
            case .transferred(let serial, let transfer, let answer): transferred(serial, transfer, answer)
            case .storeAnswered(let answer): storeAnswered(answer)
            case .run(let body, _): body(self)
            }
        }
        return !messages.isEmpty
    }

    /// A session that is gone in the meantime is told nothing.
    func send(_ id: SessionID, _ message: HubMessage) {
        guard let session = connections[ConnectionKey(id.serial)]?.session else { return }
        drive(session) { $0.receivedFromHub(message, now: loop.now, at: loop.wallTime, into: &$1) }
        session.connection.arm()
    }

    private func verified(_ serial: UInt64, _ result: Result<Credentials, TokenError>) {
        guard let connection = connections[ConnectionKey(serial)] else { return }
        guard let session = connection.session else { return connection.authorized(result) }
        drive(session) { $0.verified(result, now: loop.now, at: loop.wallTime, into: &$1) }
        connection.arm()
    }

    private func transferred(_ serial: UInt64, _ transfer: UInt32, _ answer: TransferAnswer) {
        guard let session = connections[ConnectionKey(serial)]?.session else {
            context.files?.discard(answer)
            return
        }
        drive(session) { $0.answered(transfer, answer, now: loop.now, into: &$1) }
        session.connection.arm()
    }

    // MARK: The server API

    /// Asks the hub for the server itself, and calls back with the reply.
    func request(_ id: CommandID, _ input: (Requester) -> HubInput, _ reply: @escaping @Sendable (Event) -> Void) {
        lastAnswer += 1
        answers[lastAnswer] = reply
        route(input(Requester(.service(edge: edge, lastAnswer), id: id)))
    }

    func answer(_ number: UInt64, _ event: Event) {
        answers.removeValue(forKey: number)?(event)
    }

    // MARK: Drain

    func stopAccepting() {
        listener?.close()
        listener = nil
    }

    /// Says so when the shard has no session left, and the edge none whose last bytes are on their way.
    func checkDrained() {
        guard isShardDrained, !connections.values.contains(where: { $0.isConversing }) else { return }
        isShardDrained = false
        shared.drained(index)
    }
}

extension Connection {
    /// A WebSocket that is open, or whose close frames are being exchanged.
    fileprivate var isConversing: Bool {
        switch phase {
        case .open, .closing: true
        case .handshaking, .readingHead, .authorizing, .http, .lingering, .closed: false
        }
    }
}
