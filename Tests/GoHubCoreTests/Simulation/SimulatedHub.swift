import GoHubTestSupport
import Synchronization

@testable import GoHubCore

/// The time of a simulation, for its hub and its store.
final class SimulatedClock: Sendable {
    private let milliseconds = Atomic<UInt64>(0)

    var now: MonotonicTime { .ms(milliseconds.load(ordering: .relaxed)) }

    func advance(by time: Milliseconds) {
        milliseconds.add(time.value, ordering: .relaxed)
    }
}

/// A hub of several shards and edges, its store and its clients' connections, in one thread and with a simulated clock.
/// Everything that takes time in production waits here until a seeded random number selects it.
///
/// - Letters between two nodes keep their order. Letters of different pairs overtake each other freely.
/// - The store handles and answers a room's messages in order. Different rooms, and reads, overtake each other. Some
///   requests fail before their effect, some after it, and for a while all of them do.
/// - The hub is killed at any moment: some pending store requests take effect, and none is answered.
/// - A connection's bytes wait in the hub's bounded queue until the client reads them.
final class SimulatedHub {
    private enum Letter {
        case input(HubInput)
        case action(HubAction)
    }

    private enum StoreRequest {
        case append(AppendRequest)
        case read(HistoryRequest, PendingRead)
        case storeReceipts([ReceiptNote])
        case storeSanctions([SanctionNote])
        case readRooms(RoomsRequest, Requester)
        case readHeads([RoomHead])

        /// Appends of one room keep their order.
        var orderedRoom: RoomID? {
            if case .append(let appendRequest) = self { appendRequest.draft.room } else { nil }
        }

        var kind: StoreWork {
            switch self {
            case .append: .append
            case .read: .read
            case .storeReceipts: .receipts
            case .storeSanctions: .sanctions
            case .readRooms: .rooms
            case .readHeads: .heads
            }
        }
    }

    private enum StoreWork: CaseIterable {
        case append
        case read
        case receipts
        case sanctions
        case rooms
        case heads
    }

    private enum StoreAnswer {
        case stored(AppendRequest, AppendOutcome)
        case read(HistoryRequest, PendingRead, Result<HistoryPage, StoreError>)
        case receiptsStored(Result<Void, StoreError>)
        case sanctionsStored(Result<[SanctionNote.Outcome], StoreError>)
        case roomsRead(Requester, Result<RoomsPage, StoreError>)
        case headsRead(Result<[RoomHead], StoreError>)

        var orderedRoom: RoomID? {
            if case .stored(let appendRequest, _) = self { appendRequest.draft.room } else { nil }
        }

        var kind: StoreWork {
            switch self {
            case .stored: .append
            case .read: .read
            case .receiptsStored: .receipts
            case .sanctionsStored: .sanctions
            case .roomsRead: .rooms
            case .headsRead: .heads
            }
        }
    }

    private struct Connection {
        var machine: SessionStateMachine
        var queue: OutboundQueue<EncodedEvent>
        var commands: [Command] = []
        var isReadingPaused = false
    }

    static let edgeCount = 2
    static let shardCount = 3

    /// The hub's place among those on the store.
    let index: Int
    /// What it knows of the others; `nil` without a cluster.
    private var view: ClusterView?
    private let moderation: SimulatedModeration
    let context: SessionContext
    let store: InMemoryMessageStore
    /// Whether the store fails now and then.
    var hasFaults: Bool
    /// Whether every third connection reads slowly.
    var hasSlowConsumers: Bool
    /// Whether one link, or one kind of the store's work or answers, sometimes stalls while all others go on. Most
    /// races need one step to be very late.
    var hasStalls = true
    private var stalledLink: (from: Int, to: Int)?
    private var stalledWork: StoreWork?
    private var stalledAnswers: StoreWork?
    /// Whether all requests to the store fail.
    private var isStoreAway = false
    let clock: SimulatedClock
    var now: MonotonicTime { clock.now }
    private(set) var shards: [HubState]
    private(set) var drainedShards = 0
    private var connections: [SessionID: Connection] = [:]
    /// In order of opening, so that a random choice is the same in every run.
    private(set) var openSessions: [SessionID] = []
    private(set) var keys: [SessionID: SessionKey] = [:]
    private var members: [[RoomID: Set<SessionID>]]
    /// From node to node: edges first, then shards.
    private var mailboxes: [[[Letter]]]
    private var storeRequests: [(shard: Int, StoreRequest)] = []
    private var storeAnswers: [(shard: Int, StoreAnswer)] = []
    private var timers: [MonotonicTime?]
    private var lastSerial: UInt64 = 0
    /// The checks due after this step.
    private var changedShards: Set<Int> = []
    private var areSessionsChanged = false
    private let report: (String) -> Void
    /// An event for a client, or `nil` for the end, after which nothing comes.
    private let told: (SessionID, Event?) -> Void
    private let noted: (SessionAction) -> Void
    private let moderated: (Sanction.Record) -> Void

    init(
        index: Int = 0, moderation: SimulatedModeration = SimulatedModeration(), context: SessionContext,
        store: InMemoryMessageStore, clock: SimulatedClock, hasFaults: Bool,
        hasSlowConsumers: Bool, report: @escaping (String) -> Void,
        told: @escaping (SessionID, Event?) -> Void, noted: @escaping (SessionAction) -> Void,
        moderated: @escaping (Sanction.Record) -> Void
    ) {
        self.index = index
        self.moderation = moderation
        lastSerial = UInt64(index) * 1_000_000
        self.clock = clock
        self.moderated = moderated
        self.context = context
        self.store = store
        self.hasFaults = hasFaults
        self.hasSlowConsumers = hasSlowConsumers
        self.report = report
        self.told = told
        self.noted = noted
        shards = Array(repeating: HubState(limits: context.limits), count: Self.shardCount)
        timers = Array(repeating: nil, count: Self.shardCount)
        members = Array(repeating: [:], count: Self.edgeCount)
        let nodes = Self.edgeCount + Self.shardCount
        mailboxes = Array(repeating: Array(repeating: [], count: nodes), count: nodes)
    }

    var wall: WallTime { .ms(Int64(clamping: now.nanoseconds / 1_000_000)) }

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
        openSessions.append(id)
        keys[id] = SessionKey(user: credentials.userKey, device: device)
        return id
    }

    /// - Returns: false if too many commands are already in flight.
    func send(_ command: Command, from id: SessionID) -> Bool {
        guard let waiting = connections[id]?.commands.count, waiting < 6 else { return false }
        connections[id]?.commands.append(command)
        return true
    }

    func drop(_ id: SessionID) {
        with(id) { $0.transportClosed(into: &$1) }
        forget(id)
        told(id, nil)
    }

    // MARK: Other steps

    /// Performs one possible step.
    ///
    /// - Returns: false if nothing waits except timers.
    func step(_ random: inout SeededRandom) -> Bool {
        if random.once(in: 40) {
            let nodes = mailboxes.indices
            stalledLink = (Int.random(in: nodes, using: &random), Int.random(in: nodes, using: &random))
            stalledWork = random.once(in: 4) ? random.pick(StoreWork.allCases) : nil
            stalledAnswers = random.once(in: 2) ? random.pick(StoreWork.allCases) : nil
            isStoreAway = random.once(in: 6)
        }
        var choices: [() -> Void] = []
        if let id = random.pick(openSessions.filter { canBeRead($0) }) { choices.append { [self] in readCommand(id) } }
        let takesLittle = hasSlowConsumers && !random.once(in: 30)
        let takers = openSessions.filter {
            !(takesLittle && $0.serial % 3 == 0) && connections[$0]?.queue.isEmpty == false
        }
        if let id = random.pick(takers) { choices.append { [self] in takeEvent(id) } }
        var links: [(Int, Int)] = []
        for from in mailboxes.indices {
            for to in mailboxes.indices where !mailboxes[from][to].isEmpty {
                if hasStalls, let stalledLink, stalledLink == (from, to) { continue }
                links.append((from, to))
            }
        }
        if let (from, to) = random.pick(links) {
            // Most waiting steps are letters.
            for _ in 0..<3 { choices.append { [self] in readLetter(from, to) } }
        }
        let isFault = hasFaults && (random.once(in: 15) || isStoreAway)
        let isAfter = random.once(in: 2)
        let requests = first(of: storeRequests.map(\.1.orderedRoom)).filter {
            !(hasStalls && stalledWork == storeRequests[$0].1.kind)
        }
        if let index = random.pick(requests) {
            choices.append { [self] in performStoreRequest(index, fault: isFault ? isAfter : nil) }
        }
        let answers = first(of: storeAnswers.map(\.1.orderedRoom)).filter {
            !(hasStalls && stalledAnswers == storeAnswers[$0].1.kind)
        }
        if let index = random.pick(answers) {
            choices.append { [self] in readStoreAnswer(index) }
        }
        guard let choice = random.pick(choices) else { return false }
        choice()
        return true
    }

    /// Performs what is due at the simulation's time.
    func timersFired() {
        for shard in shards.indices {
            guard let due = timers[shard], due <= now else { continue }
            timers[shard] = nil
            perform(shards[shard].actions { $0.timerFired(now: now, into: &$1) }, of: shard)
        }
    }

    /// Kills the hub and starts another one on the same store. Bytes written to clients may still arrive, and some
    /// pending store requests take effect.
    func crash(_ random: inout SeededRandom) {
        var lost: Set<RoomID> = []
        while let (_, request) = storeRequests.first {
            let isDone = random.once(in: 2)
            if let room = request.orderedRoom, !isDone { lost.insert(room) }
            if isDone, request.orderedRoom.map({ !lost.contains($0) }) ?? true {
                performStoreRequest(0, fault: nil)
            } else {
                storeRequests.removeFirst()
            }
        }
        storeAnswers = []
        for id in openSessions {
            while !random.once(in: 3), let event = connections[id]?.queue.take() { told(id, event.event) }
            forget(id)
            told(id, nil)
        }
        shards = Array(repeating: HubState(limits: context.limits), count: Self.shardCount)
        timers = Array(repeating: nil, count: Self.shardCount)
        members = Array(repeating: [:], count: Self.edgeCount)
        mailboxes = mailboxes.map { $0.map { _ in [] } }
        changedShards = []
        if let view { clusterChanged(peers: view.peers, comparisons: 0) }
    }

    func startDrain() {
        let plan = DrainPlan(closeOver: 500, reconnectOver: 1000)
        for shard in shards.indices {
            perform(shards[shard].actions { $0.receive(.drainStarted(plan), now: now, into: &$1) }, of: shard)
        }
    }

    /// The indices that may go next: only the first of each room.
    private func first(of rooms: [RoomID?]) -> [Int] {
        var seen: Set<RoomID> = []
        return rooms.indices.filter { index in rooms[index].map { seen.insert($0).inserted } ?? true }
    }

    private func canBeRead(_ id: SessionID) -> Bool {
        guard let connection = connections[id] else { return false }
        return !connection.isReadingPaused && !connection.commands.isEmpty
    }

    private func readCommand(_ id: SessionID) {
        guard let command = connections[id]?.commands.takeFirst() else { return }
        noteBan(command, of: id)
        with(id) { $0.received(command, now: now, at: wall, into: &$1) }
    }

    private func takeEvent(_ id: SessionID) {
        guard let wasAbove = connections[id]?.queue.isAboveWatermark, let event = connections[id]?.queue.take() else {
            return
        }
        checkBan(event.event, of: id)
        told(id, event.event)
        if wasAbove, connections[id]?.queue.isAboveWatermark == false {
            with(id) { $0.backlogChanged(false, into: &$1) }
        }
    }

    // MARK: Letters

    private func post(_ letter: Letter, from: Int, to: Int) {
        mailboxes[from][to].append(letter)
    }

    private func post(_ input: HubInput, from node: Int) {
        let owner: Int
        switch input.owner {
        case .user(let key): owner = shard(of: key.user.value)
        case .room(let room): owner = shard(of: room.name.value)
        case .everyShard: return report("an input for every shard has one sender only, the shell")
        }
        post(.input(input), from: node, to: Self.edgeCount + owner)
    }

    /// Not `hashValue`, which differs from run to run.
    private func shard(of name: String) -> Int {
        name.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % Self.shardCount
    }

    func state(of room: RoomID) -> HubState { shards[shard(of: room.name.value)] }

    private func readLetter(_ from: Int, _ to: Int) {
        guard let letter = mailboxes[from][to].takeFirst() else { return }
        switch letter {
        case .input(let input):
            let shard = to - Self.edgeCount
            perform(shards[shard].actions { $0.receive(input, now: now, into: &$1) }, of: shard)
        case .action(.send(let id, let message)):
            with(id) { $0.receivedFromHub(message, now: now, at: wall, into: &$1) }
        case .action(.deliver(let event, let room, _)):
            let encoded = EncodedEvent(event)
            for id in (members[to][room] ?? []).sorted(by: { $0.serial < $1.serial }) { offer(encoded, to: id) }
        case .action: break
        }
    }

    private func perform(_ actions: [HubAction], of shard: Int) {
        changedShards.insert(shard)
        let node = Self.edgeCount + shard
        for action in actions {
            switch action {
            case .send(let id, _): post(.action(action), from: node, to: id.edge.index)
            case .deliver(_, _, let edges): for edge in edges { post(.action(action), from: node, to: edge.index) }
            case .append(let appendRequest):
                let (room, user) = (appendRequest.draft.room, appendRequest.draft.from.user)
                if moderation.entry(of: user, in: room)?.hub == index {
                    report("\(user), who may not write, does in \(room.name)")
                }
                storeRequests.append((shard, .append(appendRequest)))
            case .read(let request, let pending): storeRequests.append((shard, .read(request, pending)))
            case .storeReceipts(let receipts): storeRequests.append((shard, .storeReceipts(receipts)))
            case .storeSanctions(let sanctions): storeRequests.append((shard, .storeSanctions(sanctions)))
            case .moderated(let record): note(record)
            case .readRooms(let request, let requester): storeRequests.append((shard, .readRooms(request, requester)))
            case .readHeads(let known): storeRequests.append((shard, .readHeads(known)))
            case .forward(let input): post(input, from: node)
            case .readDirectNews, .forwardToAll: report("no place in the list of direct news was given")
            case .scheduleTimer(let due): timers[shard] = timers[shard].map { min($0, due) } ?? due
            case .drained: drainedShards += 1
            case .answer: report("nobody but sessions asked")
            }
        }
    }

    // MARK: Mutes and bans

    private func note(_ record: Sanction.Record) {
        moderated(record)
        moderation.note(record, hub: index)
    }

    /// Moderation that the store doesn't hold is no promise any more.
    private func storeSanctions(_ notes: [SanctionNote]) -> [SanctionNote.Outcome] {
        for note in notes where note.kind == .pardon { moderation.pardoned(note.user, in: note.room) }
        return store.saveSanctions(notes)
    }

    private func isBanned(_ user: UserID, from room: RoomID) -> Bool { moderation.isBanned(user, from: room) }

    /// Joins that were requested after a ban was confirmed, on whatever hub, with the pardons until then.
    private var bannedJoins: [CommandID: Int] = [:]

    private func noteBan(_ command: Command, of id: SessionID) {
        guard case .join(let join) = command, let key = keys[id] else { return }
        guard isBanned(key.user.user, from: RoomID(tenant: key.user.tenant, name: join.room)) else { return }
        bannedJoins[join.id] = moderation.pardons
    }

    private func checkBan(_ event: Event, of id: SessionID) {
        guard case .joined(let joined) = event, let pardons = bannedJoins[joined.id] else { return }
        if pardons == moderation.pardons { report("\(id) has joined \(joined.room) after a ban was confirmed") }
    }

    // MARK: The cluster

    /// Tells the hub of the others. Their number is a peer's, so that the hub compares its rooms with the store.
    func clusterChanged(peers: [NodeName], comparisons: UInt64) {
        let view = ClusterView(peers: peers, comparisons: comparisons)
        self.view = view
        for shard in shards.indices {
            perform(shards[shard].actions { $0.receive(.clusterChanged(view), now: now, into: &$1) }, of: shard)
        }
    }

    private func readRooms(_ request: RoomsRequest) -> RoomsPage {
        let page = store.readRooms(request)
        for entry in page.rooms
        where isBanned(request.user.user, from: RoomID(tenant: request.user.tenant, name: entry.room)) {
            report("\(request.user.user) is shown \(entry.room), and is banned there")
        }
        return page
    }

    // MARK: The store

    /// - Parameter fault: true to fail after the effect, false to fail before it.
    private func performStoreRequest(_ place: Int, fault isAfter: Bool?) {
        let (shard, request) = storeRequests.remove(at: place)
        let failure = StoreError("a fault of the test")
        switch request {
        case .append(let appendRequest):
            var outcome = AppendOutcome.failed(failure)
            if isAfter != false { outcome = store.appendNow(appendRequest.draft) }
            if isAfter != nil { outcome = .failed(failure) }
            storeAnswers.append((shard, .stored(appendRequest, outcome)))
        case .read(let request, let pending):
            let result = isAfter == nil ? store.readNow(request) : .failure(failure)
            storeAnswers.append((shard, .read(request, pending, result)))
        case .storeReceipts(let receipts):
            if isAfter != false { store.saveReceipts(receipts) }
            storeAnswers.append((shard, .receiptsStored(isAfter == nil ? .success(()) : .failure(failure))))
        case .storeSanctions(let sanctions):
            var outcomes: [SanctionNote.Outcome] = []
            if isAfter != false { outcomes = storeSanctions(sanctions) }
            storeAnswers.append((shard, .sanctionsStored(isAfter == nil ? .success(outcomes) : .failure(failure))))
        case .readRooms(let request, let requester):
            let result = isAfter == nil ? Result.success(readRooms(request)) : .failure(failure)
            storeAnswers.append((shard, .roomsRead(requester, result)))
        case .readHeads(let known):
            storeAnswers.append(
                (shard, .headsRead(isAfter == nil ? .success(store.readHeads(known)) : .failure(failure))))
        }
    }

    private func readStoreAnswer(_ place: Int) {
        let (shard, answer) = storeAnswers.remove(at: place)
        switch answer {
        case .stored(let appendRequest, let outcome):
            perform(shards[shard].actions { $0.stored(appendRequest, outcome, now: now, into: &$1) }, of: shard)
        case .read(let request, let pending, let result):
            perform(shards[shard].actions { $0.historyRead(pending, result, request, now: now, into: &$1) }, of: shard)
        case .receiptsStored(let result):
            perform(shards[shard].actions { $0.receiptsStored(result, now: now, into: &$1) }, of: shard)
        case .sanctionsStored(let result):
            perform(shards[shard].actions { $0.sanctionsStored(result, now: now, into: &$1) }, of: shard)
        case .roomsRead(let requester, let result):
            perform(shards[shard].actions { $0.roomsRead(requester, result, into: &$1) }, of: shard)
        case .headsRead(let result):
            perform(shards[shard].actions { $0.headsRead(result, now: now, into: &$1) }, of: shard)
        }
    }

    // MARK: The edge

    private func with(_ id: SessionID, _ body: (inout SessionStateMachine, inout [SessionAction]) -> Void) {
        guard var connection = connections[id] else { return }
        areSessionsChanged = true
        let wasClosed = connection.machine.isClosed
        let actions = connection.machine.actions(body)
        connections[id]?.machine = connection.machine
        if wasClosed, !actions.isEmpty { report("\(id) acts after its end: \(actions)") }
        for action in actions { perform(action, of: id) }
    }

    private func perform(_ action: SessionAction, of id: SessionID) {
        noted(action)
        switch action {
        case .send(let event): offer(EncodedEvent(event), to: id)
        case .hub(let input): post(input, from: id.edge.index)
        case .ask(.verify): report("\(id) came with verified credentials")
        case .ask(.transfer), .release: report("\(id) sends files, and there are none")
        case .enter(let room): members[id.edge.index][room, default: []].insert(id)
        case .exit(let room): members[id.edge.index][room]?.remove(id)
        case .flush: break
        case .pauseReading: connections[id]?.isReadingPaused = true
        case .resumeReading: connections[id]?.isReadingPaused = false
        case .close:
            // Accepted events are written before the close, but not after an overflow.
            if connections[id]?.queue.hasOverflowed == true { connections[id]?.queue.removeAll() }
            while let event = connections[id]?.queue.take() { told(id, event.event) }
            forget(id)
            told(id, nil)
        }
    }

    private func offer(_ event: EncodedEvent, to id: SessionID) {
        guard let connection = connections[id] else { return report("\(id) is sent to after its end: \(event.text)") }
        if connection.queue.hasOverflowed { return }
        let result = connections[id]?.queue.offer(event)
        switch result {
        case .accepted, nil: break
        case .acceptedAboveWatermark: with(id) { $0.backlogChanged(true, into: &$1) }
        case .overflow: with(id) { $0.overflowed(into: &$1) }
        }
    }

    private func forget(_ id: SessionID) {
        connections[id] = nil
        openSessions.removeAll { $0 == id }
    }

    // MARK: Invariants at all times

    func checkInvariants() {
        if areSessionsChanged { checkSessions() }
        areSessionsChanged = false
        for shard in changedShards { check(shards[shard]) }
        changedShards = []
    }

    private func checkSessions() {
        var active: Set<SessionKey> = []
        for id in openSessions {
            guard let connection = connections[id], let key = keys[id] else { continue }
            if connection.machine.isActive, !active.insert(key).inserted { report("two live sessions of \(key)") }
            if connection.machine.isClosed { report("\(id) is closed and kept") }
            if connection.machine.commandsInFlight > context.limits.commandsInFlightMax {
                report("\(id) has \(connection.machine.commandsInFlight) commands in flight")
            }
            if connection.queue.byteCount > context.limits.queueBytesMax { report("\(id) has too much to write") }
        }
        for edge in members {
            for (room, ids) in edge {
                for id in ids where connections[id]?.machine.isActive != true {
                    report("\(id) is dead in \(room.name)")
                }
            }
        }
    }

    private func check(_ shard: HubState) {
        shard.assertInvariants(report)
        for (room, state) in shard.rooms {
            let here = state.members.keys.compactMap { keys[$0] }
            if Set(here).count < here.count { report("two sessions of one key in \(room.name)") }
            // A ban of another hub takes effect here with the next comparison.
            for user in state.users.keys {
                guard let entry = moderation.entry(of: user, in: room), entry.isBan, entry.hub == index else {
                    continue
                }
                report("\(user) is in \(room.name), and is banned there")
            }
        }
    }

    /// Invariants once nothing is in flight.
    func checkQuiescence() {
        for id in openSessions where connections[id]?.machine.commandsInFlight != 0 {
            report("\(id) still waits for a reply")
        }
        for shard in shards {
            for (room, state) in shard.rooms {
                for user in state.users.keys where isBanned(user, from: room) {
                    report("\(user) is still in \(room.name), and is banned there")
                }
            }
        }
        for shard in shards where !shard.receiptWriter.isEmpty { report("receipts are left to be stored") }
        for shard in shards where shard.storeRequestsInFlight != 0 {
            report("the store still owes \(shard.storeRequestsInFlight) answers")
        }
        var atEdges: [RoomID: Set<SessionID>] = [:]
        for edge in members {
            for (room, ids) in edge where !ids.isEmpty { atEdges[room, default: []].formUnion(ids) }
        }
        var atShards: [RoomID: Set<SessionID>] = [:]
        for shard in shards {
            for (room, state) in shard.rooms where !state.members.isEmpty { atShards[room] = Set(state.members.keys) }
            for (room, state) in shard.rooms where !state.joining.isEmpty {
                report("\(room.name) still lets somebody in")
            }
        }
        if atEdges != atShards { report("edges and shards differ: \(atEdges) and \(atShards)") }
        let live = shards.flatMap { shard in shard.users.keys.flatMap { shard.liveSessions(of: $0) } }
        if Set(live) != Set(openSessions.filter { connections[$0]?.machine.isActive == true }) {
            report("the registered sessions aren't the open ones")
        }
    }
}

extension InMemoryMessageStore {
    /// It answers immediately, so there is nothing to wait for.
    func appendNow(_ draft: MessageDraft) -> AppendOutcome {
        let answer = Mutex(AppendOutcome.failed(StoreError("no answer")))
        append([draft]) { outcomes in answer.withLock { $0 = outcomes.first ?? $0 } }
        return answer.withLock { $0 }
    }

    func readNow(_ request: HistoryRequest) -> Result<HistoryPage, StoreError> {
        let answer = Mutex(Result<HistoryPage, StoreError>.failure(StoreError("no answer")))
        readHistory(request) { result in answer.withLock { $0 = result } }
        return answer.withLock { $0 }
    }
}

extension Array {
    /// The queues of a simulation are short.
    fileprivate mutating func takeFirst() -> Element? {
        isEmpty ? nil : removeFirst()
    }
}
