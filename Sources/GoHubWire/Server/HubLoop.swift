internal import DequeModule
internal import GoHubCore
internal import Logging

/// One loop of a server: an edge with its connections, and a shard of the hub with its rooms and users.
///
/// A turn: sockets and mailbox bring inputs; inputs make the shard's state return actions; actions tell sessions, go
/// to the store, or leave for other loops; at the end of the turn each room's events and each client's replies are
/// sent. Only messages cross between loops.
///
/// The methods stand beside this file in that order: `+Connections`, `+Shard`, `+Messages`.
final class HubLoop {
    let index: Int
    let loop: EventLoop
    let settings: ConnectionSettings
    let context: SessionContext
    let shared: ServerShared
    var metrics: ServerMetrics

    // The edge
    var connections: [UInt64: Connection] = [:]
    var lastSerial: UInt64 = 0
    var fanOut = FanOut()
    var flushList: [Connection] = []
    var wheel: TimerWheel<UInt64>
    let inflater: Inflater?
    let deflater: Deflater?
    var listener: Listener?

    // The shard
    var state: HubState
    var inputs: Deque<HubInput> = []
    var actions: Deque<HubAction> = []
    var batcher = AppendBatcher()
    var batchStartedAt = MonotonicTime(nanoseconds: 0)
    var stateTimer: MonotonicTime?
    var answers: [UInt64: @Sendable (Event) -> Void] = [:]
    var lastAnswer: UInt64 = 0
    var isShardDrained = false

    /// What this turn has for other loops.
    var outboxes: [[LoopMessage]]
    private var reportAt: MonotonicTime
    private let wakeup: Wakeup

    var edge: EdgeID { EdgeID(index) }

    init(index: Int, shared: ServerShared) throws(SystemError) {
        self.index = index
        self.shared = shared
        settings = shared.settings
        context = shared.context
        loop = EventLoop(poller: try EpollPoller())
        state = HubState(limits: shared.context.limits)
        metrics = ServerMetrics(loop: index)
        wheel = TimerWheel(now: loop.now)
        outboxes = Array(repeating: [], count: shared.mailboxes.count)
        reportAt = loop.now
        let usesDeflate = settings.configuration.deflate
        // A failure of zlib's allocation leaves compression out, which every client can do without.
        inflater = usesDeflate ? try? Inflater() : nil
        deflater = usesDeflate ? try? Deflater(settings.deflate) : nil
        wakeup = Wakeup()
        wakeup.owner = self
        try loop.register(shared.mailboxes[index].descriptor, .read, wakeup)
    }

    /// Runs on the calling thread until `stop`, then closes everything without ado.
    func run() {
        loop.run(self)
        listener?.close()
        for connection in Array(connections.values) { connection.abort(nil) }
        for answer in answers.values {
            answer(.error(id: nil, code: .unavailable, message: "the hub has stopped"))
        }
        answers = [:]
        dispose(of: shared.mailboxes[index].close())
    }

    /// Ends the loop after this turn.
    func stop() {
        loop.stop()
    }

    /// Messages that no loop will read.
    private func dispose(of messages: [LoopMessage]) {
        for message in messages {
            switch message {
            case .perform(_, let otherwise): otherwise()
            case .accepted(let descriptor, _): discard(descriptor, limitKey: nil)
            default: break
            }
        }
    }

    /// The eventfd of the mailbox.
    private final class Wakeup: EventHandler {
        weak var owner: HubLoop?

        func readable() { owner?.readMailbox() }
        func writable() {}
        func broken() {}
    }
}

extension HubLoop: LoopOwner {
    private static let reportEvery: Milliseconds = 1000

    var nextDeadline: MonotonicTime? {
        let tick = wheel.isEmpty ? nil : loop.now + TimerWheel<UInt64>.tick
        return [tick, stateTimer, listener?.resumeAt, reportAt].compactMap(\.self).min()
    }

    func turnEnded() {
        fireTimers()
        repeat {
            workOff()
            sendRooms()
            flushConnections()
        } while !inputs.isEmpty || !actions.isEmpty || !flushList.isEmpty || !fanOut.isIdle
        sendOutboxes()
        checkDrained()
        metrics.turnEnded(nanoseconds: MonotonicTime.now().nanoseconds - loop.now.nanoseconds)
        if reportAt <= loop.now { report() }
    }

    private func fireTimers() {
        let now = loop.now
        for serial in wheel.advance(to: now) {
            guard let connection = connections[serial], connection.timerFired(), let session = connection.session
            else { continue }
            perform(session.machine.timerFired(now: now), of: session)
            connection.arm()
        }
        if let due = stateTimer, due <= now {
            stateTimer = nil
            actions += state.timerFired(now: now)
        }
        listener?.resumeIfDue(now)
    }

    private func sendRooms() {
        var overflowed: [Connection] = []
        fanOut.flush { overflowed.append($0) }
        drop(overflowed)
    }

    private func flushConnections() {
        // Flushing may end connections, which may give others something to send: they come in the next round.
        let list = flushList
        flushList = []
        for connection in list { connection.flush() }
    }

    private func sendOutboxes() {
        for index in outboxes.indices where !outboxes[index].isEmpty {
            if !shared.mailboxes[index].put(outboxes[index]) { dispose(of: outboxes[index]) }
            outboxes[index] = []
        }
    }

    private func report() {
        reportAt = loop.now + Self.reportEvery
        let queued = connections.values.reduce(0) { $0 + $1.queue.byteCount }
        let sessions = connections.values.reduce(0) { $0 + ($1.session == nil ? 0 : 1) }
        metrics.report(
            delivered: fanOut.takeDelivered(), connections: connections.count, sessions: sessions,
            rooms: fanOut.roomCount, queueBytes: queued)
    }
}
