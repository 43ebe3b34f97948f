/// The inside of `Hub`: one shard, and the sessions at its one edge. Its owner passes one input at a time.
struct HubShell {
    /// Work that must be done outside the lock. Large cases are indirect: the requests of each message
    /// are copied at the size of the largest direct case.
    enum Request {
        case store(StoreRequest)
        indirect case moderated(Sanction.Record)
        indirect case session(SessionID, SessionRequest)
        case release(Upload.Lease)
        indirect case discard(SessionAnswer)
        case resume(CheckedContinuation<Void, Never>)
        case reply(@Sendable () -> Void)
    }

    private struct Attached {
        var session: SessionStateMachine
        let pump: any WritePump & Sendable
        var waitingToRead: CheckedContinuation<Void, Never>?
        var isReadingPaused = false
    }

    private let context: SessionContext
    private var shard: Shard
    private var sessions: [SessionID: Attached] = [:]
    private var members: [RoomID: Set<SessionID>] = [:]
    private var nextTimer: MonotonicTime?
    /// The completions of the server's own requests, by the request's number.
    private var waitingForReply: [UInt64: @Sendable (Event) -> Void] = [:]
    private var lastRequest: UInt64 = 0
    private(set) var isDrained = false

    init(context: SessionContext) {
        self.context = context
        shard = Shard(limits: context.limits)
    }

    mutating func handle(_ input: Hub.Input, now: MonotonicTime, at wallTime: WallTime) -> [Request] {
        var work = Work(now: now, wallTime: wallTime)
        switch input {
        case .opened(let id, let address, let credentials, let pump):
            let session = SessionStateMachine(
                id: id, context: context, address: address, credentials: credentials, now: now, at: wallTime)
            sessions[id] = Attached(session: session, pump: pump)
        case .text(let id, let text):
            let bytes = Array(text.utf8)
            drive(id, &work) { session, actions in
                bytes.withUnsafeBytes { session.received($0, now: now, at: wallTime, into: &actions) }
            }
        case .binary(let id, let bytes):
            drive(id, &work) { session, actions in
                bytes.withUnsafeBytes { session.received(binary: $0, now: now, into: &actions) }
            }
        case .command(let id, let command):
            drive(id, &work) { $0.received(command, now: now, at: wallTime, into: &$1) }
        case .answered(let id, let answer):
            if sessions[id] == nil {
                work.requests.append(.discard(answer))
            } else {
                drive(id, &work) { $0.answered(answer, now: now, at: wallTime, into: &$1) }
            }
        case .readable(let id, let continuation):
            if !wait(id, continuation) { work.requests.append(.resume(continuation)) }
        case .becameWritable(let id):
            drive(id, &work) { $0.backlogChanged(false, into: &$1) }
        case .transportClosed(let id):
            drive(id, &work) { $0.transportClosed(into: &$1) }
            forget(id, &work)
        case .hub(let input): shard.add(input)
        case .asked(let id, let input, let reply):
            lastRequest += 1
            waitingForReply[lastRequest] = reply
            shard.add(input(Requester(.service(edge: Hub.edge, lastRequest), id: id)))
        case .visit(let body): work.requests.append(.reply(body(&shard, now)))
        case .storeAnswered(let answer):
            if case .appended = answer, let next = shard.batchCompleted() {
                work.requests.append(.store(.append(next)))
            }
            shard.answered(answer, now: now)
        case .tick: tick(&work)
        }
        while let action = shard.next(now: now) { perform(action, &work) }
        if let batch = shard.nextBatch() { work.requests.append(.store(.append(batch))) }
        return work.requests
    }

    /// Keeps a continuation until the session may be read.
    ///
    /// - Returns: false when no wait is needed.
    private mutating func wait(_ id: SessionID, _ continuation: CheckedContinuation<Void, Never>) -> Bool {
        guard let attached = sessions[id], attached.isReadingPaused, attached.waitingToRead == nil else { return false }
        sessions[id]?.waitingToRead = continuation
        return true
    }

    // MARK: One input's work

    private struct Work {
        let now: MonotonicTime
        let wallTime: WallTime
        var requests: [Request] = []
    }

    private mutating func tick(_ work: inout Work) {
        let now = work.now
        context.limiter.sweep(now: now)
        if let nextTimer, nextTimer <= now {
            self.nextTimer = nil
            shard.timerFired(now: now)
        }
        for (id, attached) in sessions where attached.session.nextDeadline <= now {
            drive(id, &work) { $0.timerFired(now: now, into: &$1) }
        }
    }

    private mutating func perform(_ action: HubAction, _ work: inout Work) {
        let (now, wallTime) = (work.now, work.wallTime)
        switch action {
        case .send(let id, let message):
            drive(id, &work) { $0.receivedFromHub(message, now: now, at: wallTime, into: &$1) }
        case .deliver(let event, let room, _):
            let encoded = EncodedEvent(event)
            for id in members[room] ?? [] { offer(encoded, to: id, &work) }
        case .append(let appendRequest): shard.batch(appendRequest)
        case .read(let request, let pending): work.requests.append(.store(.readHistory(request, pending)))
        case .readRooms(let request, let requester): work.requests.append(.store(.readRooms(request, requester)))
        case .storeReceipts(let receipts): work.requests.append(.store(.storeReceipts(receipts)))
        case .storeSanctions(let sanctions): work.requests.append(.store(.storeSanctions(sanctions)))
        case .readHeads(let known): work.requests.append(.store(.readHeads(known)))
        case .readDirectNews(let cursor): work.requests.append(.store(.readDirectNews(after: cursor)))
        case .moderated(let record): work.requests.append(.moderated(record))
        case .forward(let input), .forwardToAll(let input): shard.add(input)
        // A hub of its own.
        case .bus: break
        case .scheduleTimer(let due): nextTimer = nextTimer.map { min($0, due) } ?? due
        case .drained: isDrained = true
        case .answer(_, let number, let event):
            if let reply = waitingForReply.removeValue(forKey: number) { work.requests.append(.reply { reply(event) }) }
        }
    }

    // MARK: Sessions

    private mutating func drive(
        _ id: SessionID, _ work: inout Work, _ body: (inout SessionStateMachine, inout [SessionAction]) -> Void
    ) {
        guard var attached = sessions[id] else { return }
        var actions: [SessionAction] = []
        body(&attached.session, &actions)
        sessions[id]?.session = attached.session
        for action in actions { carryOut(action, of: id, &work) }
    }

    private mutating func carryOut(_ action: SessionAction, of id: SessionID, _ work: inout Work) {
        switch action {
        case .send(let event): offer(EncodedEvent(event), to: id, &work)
        case .hub(let input): shard.add(input)
        case .ask(let request): work.requests.append(.session(id, request))
        case .enter(let room): members[room, default: []].insert(id)
        case .exit(let room):
            members[room]?.remove(id)
            if members[room]?.isEmpty == true { members[room] = nil }
        // Each event has gone to its sessions at once.
        case .flush: break
        case .release(let lease): work.requests.append(.release(lease))
        case .pauseReading: sessions[id]?.isReadingPaused = true
        case .resumeReading: resumeReading(id, &work)
        case .close(let code):
            sessions[id]?.pump.close(code)
            forget(id, &work)
        }
    }

    private mutating func offer(_ event: EncodedEvent, to id: SessionID, _ work: inout Work) {
        guard let index = sessions.index(forKey: id) else { return }
        // Accessed in place, which avoids copying the whole session.
        func pump(of attached: inout Attached) -> any WritePump & Sendable { attached.pump }
        switch pump(of: &sessions.values[index]).offer(event) {
        case .accepted: break
        case .acceptedAboveWatermark: drive(id, &work) { $0.backlogChanged(true, into: &$1) }
        case .overflow: drive(id, &work) { $0.overflowed(into: &$1) }
        }
    }

    private mutating func forget(_ id: SessionID, _ work: inout Work) {
        resumeReading(id, &work)
        sessions[id] = nil
    }

    private mutating func resumeReading(_ id: SessionID, _ work: inout Work) {
        sessions[id]?.isReadingPaused = false
        guard let waiting = sessions[id]?.waitingToRead else { return }
        sessions[id]?.waitingToRead = nil
        work.requests.append(.resume(waiting))
    }
}
