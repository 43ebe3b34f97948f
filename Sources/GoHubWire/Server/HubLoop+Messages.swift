internal import GoHubCore
internal import GoHubSystem

/// Messages from other loops and threads.
extension HubLoop {
    /// - Returns: whether there were messages.
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

    /// Sends a message to a session. Does nothing if the session has ended.
    func send(_ id: SessionID, _ message: HubMessage) {
        guard let session = connections[ConnectionKey(id.serial)]?.session else { return }
        drive(session) { $0.receivedFromHub(message, now: loop.now, at: loop.wallTime, into: &$1) }
        switch message {
        // Neither brings a deadline closer.
        case .reply, .event: break
        default: session.connection.arm()
        }
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

    /// Sends a request of the server itself to the hub, and calls back with the reply.
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

    /// Reports that the loop has drained, once the shard has no session and the edge no conversing WebSocket.
    func checkDrained() {
        guard isShardDrained, !connections.values.contains(where: { $0.isConversing }) else { return }
        isShardDrained = false
        shared.drained(index)
    }
}

extension Connection {
    /// Whether a WebSocket is open or exchanges close frames.
    fileprivate var isConversing: Bool {
        switch phase {
        case .open, .closing: true
        case .handshaking, .readingHead, .authorizing, .http, .lingering, .closed: false
        }
    }
}
