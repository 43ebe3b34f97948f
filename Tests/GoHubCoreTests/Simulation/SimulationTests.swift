import Foundation
import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Many random runs of a whole hub, with all faults of a network, a store and its clients.
///
/// A failure prints its seed: `GOHUB_SIMULATION_SEEDS=1234..<1235` repeats that run step by step.
/// A plain number runs this many seeds, starting at 0.
struct SimulationTests {
    private static let seeds = seeds(otherwise: 120)
    /// With those of one hub a million steps.
    private static let clusterSeeds = seeds(otherwise: 360)

    private static func seeds(otherwise count: UInt64) -> Range<UInt64> {
        guard let told = ProcessInfo.processInfo.environment["GOHUB_SIMULATION_SEEDS"] else { return 0..<count }
        let ends = told.components(separatedBy: "..<").compactMap { UInt64($0) }
        guard let last = ends.last, let first = ends.count == 2 ? ends.first : 0, first < last else { return 0..<count }
        return first..<last
    }

    @Test func everySimulationKeepsInvariants() async {
        var seen = SimulationRun.Seen()
        for seed in Self.seeds {
            var run = SimulationRun(seed: seed)
            if let problem = run.run() {
                Issue.record("seed \(seed): \(problem)")
                return
            }
            seen.add(run.seen)
            // Lets other tests run.
            await Task.yield()
        }
        // The promises must hold because they were exercised, not because nothing happened.
        guard Self.seeds.count >= 100 else { return }
        for (what, count) in seen.counts { #expect(count > 0, "\(what) never happened") }
    }

    /// Several hubs on one store, with nothing but the store between them, and clients that move between the hubs.
    @Test(arguments: [2, 3]) func hubsOnOneStoreKeepInvariants(hubCount: Int) async {
        var seen = SimulationRun.Seen()
        for seed in Self.clusterSeeds {
            var run = SimulationRun(seed: seed, hubCount: hubCount)
            if let problem = run.run() {
                Issue.record("seed \(seed): \(problem)")
                return
            }
            seen.add(run.seen)
            await Task.yield()
        }
        guard Self.clusterSeeds.count >= 100 else { return }
        #expect(seen.counts["moved"] ?? 0 > 0)
        for (what, count) in seen.counts { #expect(count > 0, "\(what) never happened") }
    }
}

/// One run: clients do anything at any time. Afterwards everything settles, and all results must agree.
struct SimulationRun {
    /// The counts of the interesting steps.
    struct Seen {
        var counts: [String: Int] = [
            "message": 0, "recovered": 0, "not recovered": 0, "duplicate": 0, "replaced": 0, "presence": 0, "kick": 0,
            "direct message": 0, "slow consumer": 0, "resync": 0, "refused": 0, "page": 0, "pause": 0,
            "receipt": 0, "rooms": 0, "crash": 0, "sent again": 0, "ban": 0, "mute": 0, "pardon": 0,
            "edited": 0, "deleted": 0, "reaction": 0, "direct fact": 0, "unchanged": 0,
            "no such message": 0, "another's message": 0,
        ]

        mutating func add(_ other: Seen) {
            counts.merge(other.counts) { $0 + $1 }
        }
    }

    private struct Client {
        let user: UserID
        let device: DeviceID
        /// The hub of the newest connection.
        var hub = 0
        var session: SessionID?
        var sends: [Command] = []
    }

    private final class Log {
        var problem: String?
        var views: [SessionID: ClientView] = [:]
        /// Each client's position, over its connections.
        var positions: [Int: [RoomName: Position]] = [:]
        var history = ToldHistory()
        var receipts = ToldReceipts()
        var seen = Seen()
    }

    private static let rooms: [RoomName] = ["alpha", "beta", "gamma", "delta"].map { .named($0) }
    private static let steps = 1200

    private let log = Log()
    /// All on one store.
    private let hubs: [SimulatedHub]
    private let store: InMemoryMessageStore
    private let clock = SimulatedClock()
    private var random: SeededRandom
    private var clients: [Client] = []
    private var lastID = 0
    /// Whether the store drops rooms, which return with another epoch.
    private let losesRooms: Bool
    /// Whether the hub is sometimes killed.
    private let crashes: Bool

    var seen: Seen { log.seen }

    /// - Parameter hubCount: the number of hubs on the store, with nothing but the store between them.
    init(seed: UInt64, hubCount: Int = 1) {
        random = SeededRandom(seed: seed)
        losesRooms = seed % 5 == 4
        crashes = seed / 2 % 2 == 1
        var limits = Limits()
        limits.commandsInFlightMax = 4
        limits.queueBytesMax = seed % 3 == 0 ? 3000 : 100_000
        limits.queueWatermarkBytes = 1500
        limits.tailMessagesMax = 4
        limits.pageMessagesMax = 8
        limits.sessionsPerUserMax = 2
        limits.roomsPerSessionMax = 3
        limits.membersPerRoomMax = 6
        limits.storeRequestsInFlightMax = 20
        limits.presenceNamesMax = 2
        let context = SessionContext(limits: limits, limiter: RateLimiter(.unlimited))
        let capacity = InMemoryMessageStore.Capacity(roomsMax: losesRooms ? 4 : 1000, messagesPerRoomMax: 100_000)
        let log = log
        let store = InMemoryMessageStore(capacity: capacity, seed: 1) { [clock] in clock.now }
        self.store = store
        let moderation = SimulatedModeration()
        hubs = (0..<hubCount).map { [clock] index in
            SimulatedHub(
                index: index, moderation: moderation, context: context, store: store, clock: clock,
                hasFaults: seed % 2 == 1, hasSlowConsumers: seed % 3 == 0,
                report: { log.problem = log.problem ?? $0 },
                told: { session, event in Self.note(session, event, log) },
                noted: { log.seen.note($0) },
                moderated: { record in
                    switch record.sanction.kind {
                    case .ban: log.seen.counts["ban", default: 0] += 1
                    case .mute: log.seen.counts["mute", default: 0] += 1
                    case .pardon: log.seen.counts["pardon", default: 0] += 1
                    case .kick: break
                    }
                })
        }
        if hubCount > 1 { tellPeers() }
        for user in ["alice", "bob", "carol", "dave"] {
            for device in [DeviceID.phone, .laptop] { clients.append(Client(user: .named(user), device: device)) }
        }
    }

    private static func note(_ session: SessionID, _ event: Event?, _ log: Log) {
        guard let event else {
            log.views[session]?.ended()
            return
        }
        log.seen.note(event)
        if let problem = log.views[session]?.received(event, &log.history) {
            log.problem = log.problem ?? "\(session): \(problem)"
        }
        guard let view = log.views[session] else { return }
        if let problem = log.receipts.note(event, to: view.user) {
            log.problem = log.problem ?? "\(session): \(problem)"
        }
        switch event {
        case .joined(let joined): log.positions[view.client, default: [:]][joined.room] = view.position(in: joined.room)
        case .message(let room, _):
            log.positions[view.client, default: [:]][room] = view.position(in: room)
        case .receipt(let room, let receipts):
            if let epoch = view.position(in: room)?.epoch { log.receipts.add(receipts, room, epoch) }
        default: break
        }
    }

    /// - Returns: the first broken promise, or `nil` if there is none.
    mutating func run() -> String? {
        for step in 0..<Self.steps {
            if random.once(in: 3) { act() }
            if random.once(in: 12) { advance(by: Milliseconds(.random(in: 0...400, using: &random))) }
            if crashes, random.once(in: 400) { crash() }
            if let hub = random.pick(hubs) {
                _ = hub.step(&random)
                hub.checkInvariants()
            }
            if let problem = log.problem { return "step \(step): \(problem)" }
        }
        settle()
        checkHeads()
        sendAgain()
        settle()
        for hub in hubs { hub.checkQuiescence() }
        for hub in hubs { checkViews(of: hub) }
        checkHistory()
        if let problem = log.problem { return "at rest: \(problem)" }
        for hub in hubs { hub.startDrain() }
        settle()
        for hub in hubs where hub.drainedShards != SimulatedHub.shardCount || !hub.openSessions.isEmpty {
            return "after the drain \(hub.openSessions.count) sessions are left"
        }
        return log.problem
    }

    /// Delivers everything, then fires the timers, until nothing is left.
    private mutating func settle() {
        for hub in hubs {
            hub.hasFaults = false
            hub.hasSlowConsumers = false
            hub.hasStalls = false
        }
        for _ in 0..<40 {
            stepAll()
            advance(by: 250)
        }
        stepAll()
    }

    private mutating func stepAll() {
        for hub in hubs where log.problem == nil {
            var steps = 0
            while hub.step(&random) {
                steps += 1
                // Far more than what all clients can have under way.
                guard steps < 100_000 else {
                    log.problem = log.problem ?? "hub \(hub.index) never comes to rest"
                    return
                }
            }
            hub.checkInvariants()
        }
    }

    private func advance(by time: Milliseconds) {
        clock.advance(by: time)
        for hub in hubs { hub.timersFired() }
    }

    // MARK: Hubs

    private func tellPeers(comparisons: UInt64 = 0) {
        let names = hubs.map { NodeName.named("node-\($0.index)") }
        for hub in hubs {
            hub.clusterChanged(peers: names.filter { $0 != names[hub.index] }, comparisons: comparisons)
        }
    }

    private mutating func crash() {
        guard let hub = random.pick(hubs) else { return }
        hub.crash(&random)
        log.receipts.hubCrashed()
        log.seen.counts["crash", default: 0] += 1
    }

    // MARK: Clients

    /// Every connected client repeats its unacknowledged messages.
    private mutating func sendAgain() {
        let acknowledged = Set(log.history.acknowledged.values.map { ToldHistory.Sent(user: $0.user, id: $0.id) })
        for client in clients {
            guard let session = client.session, let view = log.views[session], view.isWelcomed, !view.isOver else {
                continue
            }
            for command in client.sends {
                guard let id = command.id, !acknowledged.contains(.init(user: client.user, id: id)),
                    hubs[client.hub].send(command, from: session)
                else { continue }
                log.views[session]?.sent(command)
                log.seen.counts["sent again", default: 0] += 1
            }
        }
    }

    private mutating func act() {
        let index = Int.random(in: clients.indices, using: &random)
        guard let session = clients[index].session, let view = log.views[session], !view.isOver else {
            if random.once(in: 2) { connect(index) }
            return
        }
        switch Int.random(in: 0..<40, using: &random) {
        case 0: connect(index)  // without a close from the older connection
        case 1:
            hubs[clients[index].hub].drop(session)
            clients[index].session = nil
        default:
            guard view.isWelcomed, let command = makeCommand(index, view) else { return }
            guard hubs[clients[index].hub].send(command, from: session) else { return }
            log.views[session]?.sent(command)
            if let id = command.id { log.receipts.asked(id) }
        }
    }

    private mutating func connect(_ index: Int) {
        let client = clients[index]
        let hub = random.pick(hubs) ?? hubs[client.hub]
        if hub.index != client.hub { log.seen.counts["moved", default: 0] += 1 }
        clients[index].hub = hub.index
        let edge = Int.random(in: 0..<SimulatedHub.edgeCount, using: &random)
        let credentials = Credentials(user: client.user, grants: .moderator)
        let session = hub.open(credentials, client.device, on: edge)
        clients[index].session = session
        log.views[session] = ClientView(client: index, user: client.user)
        _ = hub.send(.hello(.init(device: client.device)), from: session)
    }

    private mutating func makeCommand(_ index: Int, _ view: ClientView) -> Command? {
        lastID += 1
        let id = CommandID.named("c\(lastID)")
        guard let room = random.pick(Self.rooms), let other = random.pick(clients.map(\.user)) else { return nil }
        switch Int.random(in: 0..<30, using: &random) {
        case 24...29:
            let named = random.once(in: 5) ? .direct(clients[index].user, other) : random.pick(view.joinedRooms) ?? room
            let request = Command.Change(
                id: id, room: named, of: makeTarget(view.position(in: named)?.offset ?? 6), makeChange(id))
            clients[index].sends = clients[index].sends.suffix(5) + [.change(request)]
            return .change(request)
        case 20...22:
            let named = random.once(in: 4) ? .direct(clients[index].user, other) : random.pick(view.joinedRooms) ?? room
            let last = (view.position(in: named)?.offset ?? 3) + (random.once(in: 8) ? 5 : 0)
            let offset = Offset.random(in: 0...last, using: &random)
            return .receipt(room: named, random.once(in: 2) ? Receipt(delivered: offset) : Receipt(seen: offset))
        case 23: return .rooms(id: id, after: random.once(in: 2) ? room : nil, limit: 2)
        case 0...4:
            let since = random.once(in: 4) ? nil : log.positions[index]?[room]
            let limit = since == nil ? Int.random(in: 0...5, using: &random) : nil
            return .join(.init(id: id, room: room, since: since, limit: limit))
        case 5: return .leave(id: id, room: room)
        case 6: return .who(id: id, room: room)
        case 7:
            let range = random.pick([HistoryRange.newest, .before(5), .after(2)]) ?? .newest
            return .history(id: id, room: room, range: range, limit: 5)
        case 8: return .typing(room: room, active: true)
        case 9:
            let verb = random.pick(["/kick", "/mute", "/ban", "/pardon", "/pardon"]) ?? "/kick"
            return .send(.init(id: id, target: .room(random.pick(view.joinedRooms) ?? room), text: "\(verb) \(other)"))
        case 10: return .join(.init(id: id, room: .direct(clients[index].user, other), limit: 3))
        case 11:
            // A retry, which must not be stored twice.
            return random.pick(clients[index].sends.filter { view.awaited[$0.id ?? id] == nil })
        default:
            let target: Command.Send.Target =
                random.once(in: 5) ? .user(other) : .room(random.pick(view.joinedRooms) ?? room)
            let text = String(repeating: "x", count: Int.random(in: 1...200, using: &random))
            let send = Command.Send(id: id, target: target, text: text, isEphemeral: random.once(in: 10))
            if !send.isEphemeral { clients[index].sends = clients[index].sends.suffix(5) + [.send(send)] }
            return .send(send)
        }
    }

    /// Mostly one of the last few messages, some of which are changes and some other users'. Sometimes one that doesn't
    /// exist.
    private mutating func makeTarget(_ last: Offset) -> Offset {
        let first = last - min(last, 6)
        return .random(in: first...(last + (random.once(in: 10) ? 2 : 0)), using: &random)
    }

    private mutating func makeChange(_ id: CommandID) -> Command.Change.Kind {
        switch Int.random(in: 0..<8, using: &random) {
        case 0...1: .edit("text of \(id)")
        case 2: .delete
        default: .react(random.pick([.thumb, .heart]) ?? .thumb, isRemoval: random.once(in: 3))
        }
    }

    // MARK: Invariants at rest

    /// Members have received everything in the store, even without repeats of appends with an unknown outcome.
    private func checkHeads() {
        for hub in hubs { checkHeads(of: hub) }
    }

    private func checkHeads(of hub: SimulatedHub) {
        for session in hub.openSessions {
            guard let view = log.views[session], view.isWelcomed else { continue }
            for name in view.joinedRooms {
                let request = HistoryRequest(
                    room: RoomID(tenant: .standard, name: name), range: .newest, messagesMax: 1, bytesMax: 1)
                guard case .success(let page) = store.readNow(request), let position = view.position(in: name),
                    hubs.count > 1 || page.head.epoch == position.epoch
                else { continue }
                if page.head != position {
                    log.problem = "\(session) was told \(name) up to \(position), not \(page.head)"
                }
            }
        }
    }

    private func checkViews(of hub: SimulatedHub) {
        for session in hub.openSessions {
            guard let view = log.views[session], view.isWelcomed else { continue }
            if !view.awaited.isEmpty { log.problem = "\(session) never got a reply to \(view.awaited)" }
            for name in Self.rooms {
                let room = hub.state(of: RoomID(tenant: .standard, name: name)).rooms[
                    .init(tenant: .standard, name: name)]
                let isMember = room?.members[session] != nil
                if isMember != (view.present(in: name) != nil) {
                    log.problem = "\(session) errs about being in \(name)"
                }
                guard isMember, let room else { continue }
                if view.present(in: name) != Set(room.users.keys) {
                    log.problem =
                        "\(session) takes \(view.present(in: name) ?? []) for present in \(name): \(room.users.keys)"
                }
                for (user, receipt) in view.receipts(in: name) ?? [:] {
                    let request = HistoryRequest(
                        room: RoomID(tenant: .standard, name: name), range: .newest, messagesMax: 0, bytesMax: 0,
                        receiptsMax: 100)
                    guard case .success(let page) = store.readNow(request), page.head.epoch == room.head?.epoch
                    else { continue }
                    let stored = page.receipts.first { $0.user == user }?.receipt.limited(to: room.head?.offset ?? 0)
                    // Another hub's receipts are told with the next join.
                    var further = stored
                    further?.advance(to: receipt)
                    if hubs.count == 1 ? stored != receipt : stored != further {
                        log.problem = "\(session) has \(receipt) of \(user) in \(name), the store \(stored as Any)"
                    }
                }
                let whole = HistoryRequest(
                    room: RoomID(tenant: .standard, name: name), range: .after(0), messagesMax: .max, bytesMax: .max)
                if case .success(let page) = store.readNow(whole), page.head == room.head,
                    let problem = view.messages(in: name)?.problem(against: page.messages)
                {
                    log.problem = "\(session), \(name): \(problem)"
                }
                if view.position(in: name) != room.head { log.problem = "\(session) missed the end of \(name)" }
            }
        }
    }

    private func checkHistory() {
        if losesRooms { return }
        for room in Set(log.history.messages.keys.map(\.room)).union(log.history.acknowledged.keys.map(\.room)) {
            let request = HistoryRequest(
                room: RoomID(tenant: .standard, name: room), range: .after(0), messagesMax: .max, bytesMax: .max)
            guard case .success(let page) = store.readNow(request) else { continue }
            if page.messages.map(\.offset) != Array(0..<page.head.offset).map({ $0 + 1 }) {
                log.problem = "\(room) has a hole in the store"
            }
            let ids = page.messages.map { "\($0.from.user) \($0.id)" }
            if Set(ids).count != ids.count { log.problem = "\(room) holds a message twice" }
            for (place, said) in log.history.acknowledged where place.room == room {
                let stored = page.messages.first { $0.offset == place.position.offset }
                if stored?.id != said.id || stored?.from.user != said.user {
                    log.problem = "what was acknowledged at \(place) isn't there"
                }
            }
            for (place, words) in log.history.messages where place.room == room {
                let stored = page.messages.first { $0.offset == place.position.offset }
                let hasOwnText = stored?.amendments?.edited == nil && stored?.amendments?.deleted == nil
                if stored?.id != words.id || stored?.change != words.change
                    || (hasOwnText && words.change == nil && words.text != stored?.text)
                {
                    log.problem = "\(place) was told but not stored"
                }
            }
        }
    }
}

extension SimulationRun.Seen {
    fileprivate mutating func note(_ action: SessionAction) {
        switch action {
        case .close(.slowConsumer): counts["slow consumer", default: 0] += 1
        case .close(.resyncNeeded): counts["resync", default: 0] += 1
        case .pauseReading: counts["pause", default: 0] += 1
        case .close(.replaced): counts["replaced", default: 0] += 1
        default: break
        }
    }

    fileprivate mutating func note(_ event: Event) {
        let what: String? =
            switch event {
            case .message(_, let message): message.change?.op ?? "message"
            case .directMessage(_, _, let message): message.change == nil ? "direct message" : "direct fact"
            case .joined(let joined): joined.recovered ? "recovered" : "not recovered"
            case .ack(let ack): ack.isDuplicate ? "duplicate" : ack.isUnchanged ? "unchanged" : nil
            case .error(_, .notFound, "There is no such message.", _): "no such message"
            case .error(_, .forbidden, "The message belongs to another user.", _): "another's message"
            case .presence: "presence"
            case .receipt: "receipt"
            case .rooms(_, let page): page.rooms.isEmpty ? nil : "rooms"
            case .left(id: nil, _, _): "kick"
            case .error: "refused"
            case .page: "page"
            default: nil
            }
        if let what { counts[what, default: 0] += 1 }
    }
}
