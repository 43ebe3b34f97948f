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
            case .busFrame(let frame):
                shared.bus?.taken(frame, by: index)
                shard.add(.received(frame))
            case .send(let session, let message): send(session, message)
            case .deliver(let event, let room): deliverHere(event, room)
            case .answer(let number, let event): answer(number, event)
            case .answered(let serial, let answer): answered(serial, answer)
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
        case .reply, .event, .members: break
        default: session.connection.arm()
        }
    }

    /// Passes an answer to the session that asked, or to the handshake whose token was verified.
    private func answered(_ serial: UInt64, _ answer: SessionAnswer) {
        let connection = connections[ConnectionKey(serial)]
        if let session = connection?.session {
            drive(session) { $0.answered(answer, now: loop.now, at: loop.wallTime, into: &$1) }
            session.connection.arm()
        } else if let connection, case .verified(let result) = answer {
            connection.authorized(result)
        } else {
            context.discard(answer)
        }
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
