internal import GoHubTestSupport

@testable import GoHubCore

extension FuzzTarget {
    /// A session's whole life, one line at a time: a line that starts with `!` is an input of the hub or the transport
    /// (see `SessionPlay.event`), every other line is a text message. The first byte chooses the settings.
    static let session = FuzzTarget("session", bytesMax: 4096) { bytes in
        var input = FuzzInput(bytes)
        var play = SessionPlay(options: input.byte())
        for line in Array(input.rest).split(separator: UInt8(ascii: "\n")) { try play.run(Array(line)) }
        try play.end()
    }
}

/// Plays a session with a hub that answers on command, and keeps account of the session's actions.
private struct SessionPlay {
    private var session: SessionStateMachine
    private let limits: Limits
    private var now = MonotonicTime.ms(0)
    private var wall: WallTime { .ms(Int64(clamping: now.nanoseconds / 1_000_000)) }
    /// Requests that the hub hasn't answered.
    private var asked: [HubInput] = []
    private var verifying = 0
    /// Requests that the file store hasn't answered.
    private var transfers: [(UInt32, TransferRequest)] = []
    /// Granted leases that were not returned, by transfer.
    private var held: [UInt32: Upload.Lease] = [:]
    private var leases: UInt64 = 0
    private let file = StoredFile.test(in: .lobby)

    // The accounts.
    private var entered: Set<RoomID> = []
    private var isPaused = false
    private var connected = 0
    private var disconnected = 0
    private var hasClosed = false

    init(options: UInt8) {
        var limits = Limits()
        if options & 1 == 1 {
            // Small enough that a few lines reach them.
            limits.textBytesMax = 16
            limits.commandsInFlightMax = 2
            limits.pagesInFlightMax = 1
            limits.roomsPerSessionMax = 2
            limits.roomsPerJoinMax = 3
            limits.malformedPerMinuteMax = 2
            limits.floodedPerMinuteMax = 2
            limits.refreshesPerMinuteMax = 1
            limits.transfersPerSessionMax = 2
            limits.transferWindowBytes = 4096
        }
        self.limits = limits
        let context = SessionContext(
            limits: limits, authentication: options & 2 == 2 ? .development : .token,
            limiter: RateLimiter(options & 4 == 4 ? .init(connection: .perSecond(1, burst: 4)) : .unlimited),
            files: options & 16 == 16 ? nil : TestFileStore())
        session = SessionStateMachine(
            id: .number(1), context: context, address: "192.0.2.1",
            credentials: options & 8 == 8 ? Self.credentials : nil, now: now, at: .ms(0))
    }

    private static let credentials = Credentials(
        user: .alice, name: "Alice \"A\"", grants: .moderator, expiresAt: .ms(1_000_000))

    mutating func run(_ line: [UInt8]) throws {
        let (time, wallTime) = (now, wall)
        let actions =
            line.first == UInt8(ascii: "!")
            ? event(Array(line.dropFirst()))
            : line.withUnsafeBytes { bytes in session.actions { $0.received(bytes, now: time, at: wallTime, into: &$1) }
            }
        try keep(actions)
    }

    /// The transport closes, followed by every input that may still arrive afterwards.
    mutating func end() throws {
        try keep(session.actions { $0.transportClosed(into: &$1) })
        try require(session.isClosed, "a session without a transport is closed")
        for event in ["answer", "refuse", "verified", "denied", "welcome", "left", "timer", "backlog", "overflow"] {
            try keep(self.event(Array(event.utf8)))
        }
        while !transfers.isEmpty { try keep(answerFiles(accepting: true)) }
        try require(held.isEmpty, "with a session its leases go")
        try require(entered.isEmpty, "whoever is gone is out of every room")
        try require(connected == disconnected, "what was registered is signed off, once")
    }

    // MARK: The hub and the transport

    private mutating func event(_ line: [UInt8]) -> [SessionAction] {
        let (time, wallTime) = (now, wall)
        let words = line.split(separator: 0x20).map { Array($0).text }
        switch words.first {
        case "answer": return answer(accepting: true)
        case "refuse": return answer(accepting: false)
        case "welcome": return session.actions { $0.receivedFromHub(.welcome, now: time, at: wallTime, into: &$1) }
        case "verified": return verified(.success(Self.credentials))
        case "reduced":
            return verified(.success(Credentials(user: .alice, grants: Grants([]), expiresAt: .ms(500_000))))
        case "stranger": return verified(.success(Credentials(user: .bob)))
        case "denied": return verified(.failure(TokenError(.expired, "It is over.")))
        case "kick":
            guard let room = entered.map(\.name).min(by: { $0.value < $1.value }) else { return [] }
            return session.actions {
                $0.receivedFromHub(
                    .left(room, .left(id: nil, room: room, reason: "kicked")), now: time, at: wallTime, into: &$1)
            }
        case "left":
            return session.actions {
                $0.receivedFromHub(
                    .left(.lobby, .left(id: nil, room: .lobby, reason: nil)), now: time, at: wallTime, into: &$1)
            }
        case "closed":
            return session.actions { $0.receivedFromHub(.close(.replaced), now: time, at: wallTime, into: &$1) }
        case "wait":
            now = now + Milliseconds(words.dropFirst().first.flatMap { UInt64($0) } ?? 1000)
            return []
        case "timer":
            // Within a hub's possible lifetime: at the end of the clock's range all deadlines are equal.
            now = max(now, min(session.nextDeadline, .ms(1 << 50)))
            let due = now
            return session.actions { $0.timerFired(now: due, into: &$1) }
        case "control": return session.actions { $0.receivedControl(now: time, into: &$1) }
        case "part":
            let numbers = words.dropFirst().map { UInt64($0) ?? 0 } + [0, 0, 0]
            let bytes = transferChunk(
                UInt32(truncatingIfNeeded: numbers[0]), at: numbers[1], repeatElement(7, count: Int(numbers[2] % 9000)))
            return bytes.withUnsafeBytes { bytes in session.actions { $0.received(binary: bytes, now: time, into: &$1) }
            }
        case "binary":
            return line.withUnsafeBytes { bytes in session.actions { $0.received(binary: bytes, now: time, into: &$1) }
            }
        case "files": return answerFiles(accepting: true)
        case "refuseFiles": return answerFiles(accepting: false)
        case "backlog": return session.actions { $0.backlogChanged(true, into: &$1) }
        case "drained": return session.actions { $0.backlogChanged(false, into: &$1) }
        case "overflow": return session.actions { $0.overflowed(into: &$1) }
        case "gone": return session.actions { $0.transportClosed(into: &$1) }
        default: return []
        }
    }

    private mutating func verified(_ result: Result<Credentials, TokenError>) -> [SessionAction] {
        guard verifying > 0 else { return [] }
        verifying -= 1
        let (time, wallTime) = (now, wall)
        return session.actions { $0.answered(.verified(result), now: time, at: wallTime, into: &$1) }
    }

    /// Answers the oldest request.
    private mutating func answer(accepting: Bool) -> [SessionAction] {
        let (time, wallTime) = (now, wall)
        guard !asked.isEmpty else { return [] }
        switch asked.removeFirst() {
        case .connected:
            return session.actions {
                $0.receivedFromHub(accepting ? .welcome : .close(.connectionLimit), now: time, at: wallTime, into: &$1)
            }
        case .joined(let request):
            let head = Position(epoch: Epoch("e"), offset: 3)
            let joined = Event.Joined(
                id: request.id, room: request.room.name, head: head, recovered: false, messages: [],
                members: .init(listed: [request.member], count: 1))
            let error = Event.error(id: request.id, code: .forbidden, message: "you are banned")
            return session.actions {
                $0.receivedFromHub(
                    accepting ? .joined(joined) : .joinRefused(request.room.name, error), now: time, at: wallTime,
                    into: &$1)
            }
        case .left(_, let room, let id):
            return session.actions {
                $0.receivedFromHub(
                    .left(room.name, .left(id: id, room: room.name, reason: nil)), now: time, at: wallTime, into: &$1)
            }
        case .published(let appendRequest):
            let id = appendRequest.requester.id
            let ack = Event.Ack(
                id: id, room: appendRequest.draft.room.name, position: nil, at: wall, isDuplicate: !accepting)
            return session.actions { $0.receivedFromHub(.reply(.ack(ack)), now: time, at: wallTime, into: &$1) }
        case .historyRequested(let requester, let room, _, _):
            let page = HistoryPage(head: Position(epoch: Epoch("e"), offset: 0), messages: [], more: false)
            return session.actions {
                $0.receivedFromHub(
                    .reply(.page(id: requester.id, room: room.name, page)), now: time, at: wallTime, into: &$1)
            }
        case .roomsRequested(let requester, _):
            return session.actions {
                $0.receivedFromHub(.reply(.rooms(id: requester.id, RoomsPage())), now: time, at: wallTime, into: &$1)
            }
        case .membersRequested(let requester, let room) where accepting:
            let members = Event.members(id: requester.id, room: room.name, Event.Members())
            return session.actions {
                $0.receivedFromHub(.members(room.name, members), now: time, at: wallTime, into: &$1)
            }
        case .membersRequested(let requester, _), .sanctioned(let requester, _, _):
            return session.actions {
                $0.receivedFromHub(
                    .reply(.error(id: requester.id, code: .unavailable, message: "later")), now: time, at: wallTime,
                    into: &$1)
            }
        default: return []
        }
    }

    /// Answers the oldest request to the file store.
    private mutating func answerFiles(accepting: Bool) -> [SessionAction] {
        let (time, wallTime) = (now, wall)
        guard !transfers.isEmpty else { return [] }
        let (transfer, request) = transfers.removeFirst()
        let answer: TransferAnswer
        switch request {
        case .begin(let upload):
            leases += 1
            let lease = Upload.Lease(id: file.id, number: leases)
            let state = Upload(id: file.id, request: upload, offset: upload.size / 2, expiresAt: wall)
            answer = .begun(accepting ? .success(.open(state, lease)) : .failure(.busy))
            if accepting { held[transfer] = lease }
        case .write(let bytes, let offset, _):
            answer = .stored(accepting ? .success(offset + UInt64(bytes.count)) : .failure(.superseded))
        case .finish:
            answer = .finished(accepting ? .success(file) : .failure(.superseded))
            if accepting { held[transfer] = nil }
        case .cancel:
            answer = .cancelled(accepting ? .success(()) : .failure(.notFound))
            if accepting { held[transfer] = nil }
        }
        return session.actions { $0.answered(.transferred(transfer, answer), now: time, at: wallTime, into: &$1) }
    }

    // MARK: The accounts

    private mutating func keep(_ actions: [SessionAction]) throws {
        for action in actions {
            // A lease that arrives after its transfer has ended is returned.
            let isRelease = if case .release = action { true } else { false }
            try require(!hasClosed || isRelease, "a closed session does nothing more")
            switch action {
            case .send(let event):
                let bytes = EncodedEvent(event).bytes
                try require(FuzzTarget.isJSON(bytes, depthMax: 8), "an event is JSON")
                try require(bytes.count <= limits.queueBytesMax, "an event fits the queue")
            case .hub(let input): try keep(input)
            case .ask(.verify): verifying += 1
            case .enter(let room): try require(entered.insert(room).inserted, "a room is entered once")
            case .exit(let room): try require(entered.remove(room) != nil, "a room is left by who is in it")
            case .flush(let room): try require(entered.contains(room), "who is in a room gets what was delivered to it")
            case .ask(.transfer(let transfer, let request)): try keep(transfer, request)
            case .release(let lease):
                guard let transfer = held.first(where: { $0.value == lease })?.key else {
                    throw BrokenPromise(description: "broken: a lease is given back once, by who has it")
                }
                held[transfer] = nil
            case .pauseReading:
                try require(!isPaused, "reading pauses while it goes on")
                isPaused = true
            case .resumeReading:
                try require(isPaused, "reading resumes when it was paused")
                isPaused = false
            case .close:
                try require(action == actions.last, "closing is the last thing that a session does")
                hasClosed = true
            }
        }
        try require(entered.count <= limits.roomsPerSessionMax, "a session is in a bounded number of rooms")
        if hasClosed { try require(session.isClosed, "a session that asked to be closed is closed") }
        hasClosed = session.isClosed
    }

    private mutating func keep(_ transfer: UInt32, _ request: TransferRequest) throws {
        switch request {
        case .write(let bytes, _, let lease):
            try require(held[transfer] == lease, "who writes has a lease")
            try require((1...limits.transferWindowBytes).contains(bytes.count), "what is written had credit")
            let isAlone = !transfers.contains { if case (transfer, .write) = $0 { true } else { false } }
            try require(isAlone, "one piece of a transfer at a time")
        case .finish(let lease): try require(held[transfer] == lease, "who finishes has a lease")
        // The lease ends with the upload.
        case .cancel: break
        case .begin(let upload):
            let isOwn = upload.room.name.participants.map { $0 == upload.owner || $1 == upload.owner }
            try require(isOwn ?? entered.contains(upload.room), "who sends a file to a room is in it")
        }
        transfers.append((transfer, request))
        try require(transfers.count <= 4096, "what is asked is bounded by what was said")
    }

    private mutating func keep(_ input: HubInput) throws {
        switch input {
        case .connected:
            connected += 1
            try require(connected == 1, "a session registers once")
        case .disconnected: disconnected += 1
        case .sessionEnded: break
        case .receipted(let user, let room, let receipt):
            try require(receipt.seen <= receipt.delivered, "what was seen was delivered")
            let isOwn = room.name.participants.map { $0 == user || $1 == user } ?? entered.contains(room)
            try require(isOwn, "who has got somewhere in a room is in it")
        case .published(let appendRequest):
            let text = appendRequest.draft.text
            try require(text.utf8.count <= limits.textBytesMax, "a text is within its bound")
            try require(!text.utf8.contains(0), "a text holds no U+0000")
            try require(
                appendRequest.draft.room.name.isDirect || entered.contains(appendRequest.draft.room),
                "who writes into a room is in it")
        default: break
        }
        asked.append(input)
        try require(asked.count <= 4096, "what is asked is bounded by what was said")
    }
}
