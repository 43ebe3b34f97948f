internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

/// What runs on the thread of a bus: the shell of `RedisLink`, with its sockets.
final class BusThread {
    private let mailbox: BusMailbox
    private let lookup: HostLookup
    private let board: RedisBusBoard
    private let limits: RedisLimits
    private let listener: @Sendable (BusEvent) -> Void
    private let report: @Sendable (RedisBusReport) -> Void

    private var link: RedisLink
    private var connections = BusConnections()
    /// The files of TLS as they were at the last attempt; `nil` without TLS.
    private var tls: TLSClientContext?
    private var lastConnection: UInt64 = 0
    private var status = RedisBusStatus()
    private var reports = RepeatedReports()
    /// The time of this turn.
    private var now = MonotonicTime.now()
    /// The end of the last wait for answers, once the bus is stopped.
    private var stopDue: MonotonicTime?
    /// The wakeup, then the connections.
    private var entries: [pollfd]

    init(
        _ link: RedisLink, _ mailbox: BusMailbox, _ lookup: HostLookup, _ board: RedisBusBoard, limits: RedisLimits,
        listener: @escaping @Sendable (BusEvent) -> Void, report: @escaping @Sendable (RedisBusReport) -> Void
    ) {
        self.link = link
        self.mailbox = mailbox
        self.lookup = lookup
        self.board = board
        self.limits = limits
        self.listener = listener
        self.report = report
        let none = pollfd(fd: -1, events: 0, revents: 0)
        entries = Array(repeating: none, count: 1 + RedisLink.Connection.allCases.count)
    }

    /// Runs until the bus is stopped.
    func run() {
        repeat { turn() } while !isOver
    }

    private func turn() {
        wait()
        // Before the timers: after a pause of the whole process, the bytes that have arrived may be what they wait for.
        receive()
        fireTimers()
        performRequests()
        act()
        send()
        status.backlogBytes = link.backlogBytes
        board.set(status)
    }

    /// Whether the bus is stopped, and its last messages are answered or won't be.
    private var isOver: Bool {
        guard let stopDue else { return false }
        return !link.isUp || link.isIdle || stopDue <= now
    }

    // MARK: Waiting

    private func wait() {
        entries[0] = pollfd(fd: mailbox.wakeup.rawValue, events: Int16(POLLIN), revents: 0)
        var due = [link.deadline, stopDue].compactMap(\.self).min()
        var hasInput = false
        for (index, kind) in RedisLink.Connection.allCases.enumerated() {
            guard let connection = connections[kind] else {
                entries[index + 1].fd = -1
                continue
            }
            entries[index + 1] = connection.pollEntry(hasOutput: link.hasOutput(kind))
            if connection.socket?.hasInput == true { hasInput = true }
            if let deadline = connection.deadline { due = min(deadline, due ?? deadline) }
        }
        let isAwake = hasInput || !mailbox.sleep()
        poll(&entries, nfds_t(entries.count), isAwake ? 0 : milliseconds(until: due))
        now = .now()
        if entries[0].revents != 0 { mailbox.wakeup.reset() }
    }

    /// The wait for `poll`: -1 for one without an end.
    private func milliseconds(until due: MonotonicTime?) -> Int32 {
        due.map { Int32(clamping: $0.since(.now()).value) } ?? -1
    }

    // MARK: Inputs

    private func receive() {
        // What one connection brings may replace another one, even at the same descriptor.
        let numbers = RedisLink.Connection.allCases.map { connections[$0]?.number }
        for (index, kind) in RedisLink.Connection.allCases.enumerated() {
            guard let connection = connections[kind], connection.number == numbers[index] else { continue }
            if let socket = connection.socket {
                if entries[index + 1].revents != 0 || socket.hasInput { receive(kind, connection.number, socket) }
            } else if entries[index + 1].revents != 0 {
                handle(connections[kind]?.ready(now: now), kind)
                act()
            }
        }
        for answer in lookup.takeAnswers() {
            for kind in RedisLink.Connection.allCases {
                handle(connections[kind]?.resolved(answer, now: now), kind)
                act()
            }
        }
    }

    /// Receives what is there, up to a bound, so that no connection keeps the others waiting.
    private func receive(_ kind: RedisLink.Connection, _ number: UInt64, _ socket: RedisSocket) {
        for _ in 0..<limits.receivesPerTurnMax {
            var received = RedisSocket.Received.nothing
            let count = link.receive(kind, now: now) { memory in
                received = socket.receive(into: memory)
                guard case .bytes(let count, _) = received else { return 0 }
                return count
            }
            status.bytesReceived += UInt64(count)
            act()
            guard connections[kind]?.number == number else { return }
            switch received {
            case .bytes(_, mayHaveMore: true): continue
            case .bytes, .nothing: return
            case .ended(let error):
                handle(.failed(error), kind)
                return act()
            }
        }
    }

    /// Afterwards `act`, before anything is asked of another connection: it may have to be closed.
    private func handle(_ progress: RedisConnection.Progress?, _ kind: RedisLink.Connection) {
        switch progress {
        case .connected: link.dialled(kind, now: now)
        case .failed(let error):
            connections[kind] = nil
            link.closed(kind, error, now: now)
        case nil: break
        }
    }

    private func fireTimers() {
        for kind in RedisLink.Connection.allCases {
            handle(connections[kind]?.timerFired(now: now), kind)
            act()
        }
        if let deadline = link.deadline, deadline <= now { link.timerFired(now: now) }
        act()
    }

    private func performRequests() {
        let contents = mailbox.fetch()
        if contents.isOverflown { link.giveUp(.tooManyRequests, now: now) }
        if contents.isReset { link.giveUp(.slowNode, now: now) }
        for request in contents.requests {
            switch request {
            case .subscribe(let topics): link.subscribe(topics, now: now)
            case .unsubscribe(let topics): link.unsubscribe(topics, now: now)
            case .publish(let message, let topic, let number, let time):
                link.publish(message, to: topic, number: number, at: time, now: now)
            case .compare(let others): link.compare(with: others, now: now)
            }
        }
        if contents.isStopping, stopDue == nil { stopDue = now + limits.stopTimeout }
    }

    // MARK: Outputs

    private func send() {
        for kind in RedisLink.Connection.allCases {
            guard let socket = connections[kind]?.socket else { continue }
            while link.hasOutput(kind) {
                var sent = 0
                link.send(kind) { bytes in
                    sent = socket.send(bytes)
                    return sent
                }
                status.bytesSent += UInt64(sent)
                if sent == 0 { break }
            }
        }
    }

    private func act() {
        while let action = link.next(now: now) {
            switch action {
            case .dial(let kind, let address): dial(kind, address)
            case .close(let kind): connections[kind] = nil
            case .report(let event): tell(event)
            case .note(let note): take(note)
            }
        }
    }

    private func dial(_ kind: RedisLink.Connection, _ address: RedisAddress) {
        do throws(TLSError) {
            // The other connections of an attempt use what was read for the first. A renewed certificate is read anew.
            if let settings = link.location.tls, tls == nil || kind != .subscriptions {
                tls = try TLSClientContext(settings.client)
            }
        } catch {
            return handle(.failed(.tls(error)), kind)
        }
        lastConnection += 1
        let timeout = kind == .sentinel ? limits.sentinelTimeout : limits.connectTimeout
        connections[kind] = RedisConnection(
            address, number: lastConnection, tls: tls, due: now + timeout, limits: limits)
        handle(connections[kind]?.begin(lookup, now: now), kind)
    }

    private func tell(_ event: BusEvent) {
        switch event {
        case .restored:
            (status.isUp, status.links) = (true, status.links + 1)
            board.set(status)
            mailbox.open()
        case .lost:
            // First of all, so that no request for this link is taken for one of the next.
            mailbox.close()
            (status.isUp, status.runID) = (false, nil)
            board.set(status)
        case .published(_, let receivers): if receivers != nil { status.published += 1 }
        case .heard: status.heard += 1
        case .subscribed: break
        }
        if !mailbox.isStopping { listener(event) }
    }

    private func take(_ note: RedisLink.Note) {
        switch note {
        case .connected(let address, let server):
            (status.server, status.runID) = (address, server.runID)
            say(.connected(address, server))
        case .lost(let error): say(status.isUp ? .lost(error) : .failed(error))
        case .sentinelFailed(let address, let error): say(.sentinelFailed(address, error))
        case .ignored(let error): status.refused[error.label, default: 0] += 1
        case .tooLong: status.tooLong += 1
        }
    }

    private func say(_ report: RedisBusReport) {
        guard reports.isNews(report), !mailbox.isStopping else { return }
        self.report(report)
    }
}

/// The connections that there are, of each kind at most one.
private struct BusConnections {
    private var commands: RedisConnection?
    private var subscriptions: RedisConnection?
    private var sentinel: RedisConnection?

    subscript(kind: RedisLink.Connection) -> RedisConnection? {
        get {
            switch kind {
            case .commands: commands
            case .subscriptions: subscriptions
            case .sentinel: sentinel
            }
        }
        set {
            switch kind {
            case .commands: commands = newValue
            case .subscriptions: subscriptions = newValue
            case .sentinel: sentinel = newValue
            }
        }
    }
}
