internal import GoHubCore
internal import GoHubSystem
internal import Logging

/// One loop of a server: an edge with its connections, and a shard of the hub with its rooms and users.
///
/// ```
/// sockets ─► connection ─► session ─┐         ┌─► store (answers arrive in the mailbox)
///                                   ├► shard ─┼─► session ─► its connection's queue
/// other loops, store ─► mailbox ────┘         ├─► FanOut: the room's frames of this turn
///                                             └─► outboxes ─► other loops
/// ```
///
/// A turn of the loop:
///
/// ```
/// wait, read sockets ─► read the mailbox ─► fire timers ─► run the shard until it is idle ◄─┐
///          ▲                                               look for more input              │ while there
///          │                                               mail to other loops              │ is more
///          │                                               send rooms, drop slow clients    │
///          └────────────────────────────────────────────── flush connections ───────────────┘
/// ```
///
/// So a message passes through the loop in three steps: from its connection into the shard (`received`), through the
/// shard (`runUntilIdle`), and out with all others of the turn (`sendTurn`). Only messages cross between loops.
///
/// The methods are in files in that order: `+Connections`, `+Sessions`, `+Shard`, `+Messages`.
final class HubLoop {
    let index: Int
    let loop: EventLoop
    let resources: ConnectionResources
    let settings: ConnectionSettings
    let context: SessionContext
    let shared: ServerShared
    let metrics: ServerMetrics

    // The edge
    var connections: [ConnectionKey: Connection] = [:]
    var lastSerial: UInt64 = 0
    var fanOut: FanOut
    var flushList: [Connection] = []
    private var flushing: [Connection] = []
    /// Clients whose queues overflowed, to be dropped.
    var slow: [Connection] = []
    var isDroppingSlow = false
    /// Emptied arrays for the actions of sessions, for reuse.
    var spareActions: [[SessionAction]] = []
    var encoder = EventEncoder()
    var wheel: TimerWheel<UInt64>
    let deflater: Deflater?
    var listener: Listener?

    // The shard
    var shard: Shard
    var batchStartedAt = MonotonicTime(nanoseconds: 0)
    var stateTimer: MonotonicTime?
    var answers: [UInt64: @Sendable (Event) -> Void] = [:]
    var lastAnswer: UInt64 = 0
    var isShardDrained = false

    /// This turn's messages for other loops.
    var outboxes: [[LoopMessage]]
    private var reportAt: MonotonicTime
    private let wakeup = Wakeup()

    var edge: EdgeID { EdgeID(index) }

    init(index: Int, shared: ServerShared) throws(SystemError) {
        self.index = index
        self.shared = shared
        settings = shared.settings
        context = shared.context
        loop = try EventLoop(poller: EpollPoller())
        let usesDeflate = shared.configuration.deflate
        // If zlib can't allocate memory, compression is off; every client works without it.
        deflater = usesDeflate ? try? Deflater(settings.deflate) : nil
        resources = ConnectionResources(
            queuedBytesMax: shared.configuration.queuedBytesMax / shared.mailboxes.count,
            heldBytesMax: shared.configuration.httpHeldBytesMax / shared.mailboxes.count,
            inflater: usesDeflate ? try? Inflater() : nil, deflater: deflater)
        fanOut = FanOut(resources.directSends)
        shard = Shard(limits: shared.context.limits, node: shared.bus != nil ? shared.context.incarnation : nil)
        metrics = ServerMetrics(loop: index)
        wheel = TimerWheel(now: loop.now)
        outboxes = Array(repeating: [], count: shared.mailboxes.count)
        reportAt = loop.now
        try loop.register(shared.mailboxes[index].descriptor, [.read, .edge], wakeup)
    }

    /// Runs on the calling thread until `stop`, then closes all connections immediately.
    func run() {
        loop.run(self)
        listener?.close()
        for connection in Array(connections.values) { connection.abort(nil) }
        for answer in answers.values {
            answer(.error(id: nil, code: .unavailable, message: "The hub has stopped."))
        }
        answers = [:]
        dispose(of: shared.mailboxes[index].close())
    }

    /// Ends the loop after this turn.
    func stop() {
        loop.stop()
    }

    /// Disposes of messages that no loop will read.
    private func dispose(of messages: [LoopMessage]) {
        for message in messages {
            switch message {
            case .run(_, let otherwise): otherwise()
            case .accepted(let descriptor, _): discard(descriptor, limitKey: nil)
            case .answered(_, let answer): context.discard(answer)
            default: break
            }
        }
    }

    /// Handles the mailbox's eventfd, which only has to end the wait.
    private final class Wakeup: EventHandler {
        func readable() {}
        func writable() {}
        func broken() {}
    }
}

extension HubLoop: LoopOwner {
    private static let reportEvery: Milliseconds = 1000

    /// Short while connections, the shard or the listener have deadlines.
    var tickInterval: Milliseconds {
        wheel.isEmpty && stateTimer == nil && listener?.resumeAt == nil ? Self.reportEvery : TimerWheel<UInt64>.tick
    }

    func mayWait() -> Bool { shared.mailboxes[index].sleep() }

    func turnEnded() {
        readMailbox()
        fireTimers()
        repeat {
            runUntilIdle()
            coalesceInput()
            // Outboxes first, so that other loops work in parallel.
            sendOutboxes()
            sendTurn()
        } while !shard.isIdle || !flushList.isEmpty || !fanOut.isIdle
        sendOutboxes()
        checkDrained()
        metrics.turnEnded(nanoseconds: MonotonicTime.now().nanoseconds - loop.now.nanoseconds)
        if reportAt <= loop.now { report() }
    }

    private func fireTimers() {
        let now = loop.now
        for serial in wheel.advance(to: now) {
            guard let connection = connections[ConnectionKey(serial)], connection.timerFired(),
                let session = connection.session
            else { continue }
            drive(session) { $0.timerFired(now: now, into: &$1) }
            connection.arm()
        }
        if let due = stateTimer, due <= now {
            stateTimer = nil
            shard.timerFired(now: now)
        }
        listener?.resumeIfDue(now)
    }

    /// The number of due sends from which looking for more input first is worth its cost.
    private static let coalescedSendsMin = 8
    private static let coalesceRoundsMax = 4

    /// Before a large fan-out, reads newly arrived input: a message that joins this turn costs a subscriber a few more
    /// bytes, one in the next turn another system call.
    private func coalesceInput() {
        var rounds = 0
        while rounds < Self.coalesceRoundsMax, fanOut.dueSends >= Self.coalescedSendsMin {
            let hasRead = loop.readMore()
            guard readMailbox() || hasRead else { return }
            rounds += 1
            runUntilIdle()
        }
    }

    /// Sends the turn's output: each room's events to each subscriber in one call, then each client's own.
    private func sendTurn() {
        fanOut.flush { slow.append($0) }
        dropSlow()
        // Flushing may end connections, which may queue output for others: the next round sends it.
        while !flushList.isEmpty {
            swap(&flushList, &flushing)
            for connection in flushing { connection.flush() }
            flushing.removeAll(keepingCapacity: true)
        }
    }

    private func sendOutboxes() {
        for index in outboxes.indices where !outboxes[index].isEmpty {
            if !shared.mailboxes[index].put(outboxes[index]) { dispose(of: outboxes[index]) }
            outboxes[index] = []
        }
    }

    private func report() {
        reportAt = loop.now + Self.reportEvery
        context.limiter.sweep(now: loop.now)
        let sessions = connections.values.reduce(0) { $0 + ($1.session == nil ? 0 : 1) }
        metrics.report(
            published: shard.takePublishedCount(), delivered: fanOut.takeDelivered(), connections: connections.count,
            sessions: sessions, rooms: fanOut.roomCount, queueBytes: resources.queued.bytes)
    }
}
