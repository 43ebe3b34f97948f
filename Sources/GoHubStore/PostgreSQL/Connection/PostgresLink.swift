internal import CGoHubPQ
internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// The work of a connection. Belongs to the link's thread.
protocol PostgresWork: AnyObject {
    associatedtype Request: Sendable

    /// The maximum weight of requests served at once.
    static var weightMax: Int { get }

    /// Prepares a new connection.
    func prepare(_ connection: PostgresConnection) throws(PostgresFailure)

    /// Answers each request exactly once, also when it throws.
    func serve(
        _ requests: [Request], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure)

    /// Answers a request that can't be served.
    func refuse(_ request: Request, _ error: StoreError)

    /// The time of the next background work.
    var chores: MonotonicTime { get }

    /// Performs a small part of the background work.
    ///
    /// - Parameter weight: the weight of the requests served just before; 0 when none is waiting.
    func doChore(_ connection: PostgresConnection, after weight: Int) throws(PostgresFailure)
}

/// A thread that maintains one connection: connects, serves queued requests, and reconnects when the connection is
/// lost.
///
/// Whatever it waits for, it refuses queued requests in time.
final class PostgresLink<Work: PostgresWork>: Sendable {
    let queue: RequestQueue<Work.Request>
    private let purpose: PostgresOptions.Purpose
    private let string: PostgresConnectionString
    private let options: PostgresOptions
    private var server: PostgresServerState { options.server }
    private let ready = Atomic(false)

    init(
        _ purpose: PostgresOptions.Purpose, _ string: PostgresConnectionString,
        _ options: PostgresOptions, weightMax: Int
    ) throws(StoreError) {
        self.purpose = purpose
        self.string = string
        self.options = options
        queue = try RequestQueue(weightMax: weightMax)
        options.server.add(queue.wakeup)
    }

    var isReady: Bool { ready.load(ordering: .acquiring) }

    /// The time until which a new request may wait for its turn. The other half of the time is for the server.
    var deadline: MonotonicTime { .now() + options.patience }

    /// Runs until the queue is closed and all queued requests are answered: by the server, as long as there is time.
    func run(_ work: Work) {
        var attempt = 0
        var error: StoreError?
        while !queue.isOver {
            // A connection that another link makes from here on ends the wait for the next attempt.
            var connections = server.connections
            do throws(StoreError) {
                let connection = try connect(work, after: error)
                attempt = 0
                ready.store(true, ordering: .releasing)
                server.connected()
                options.report(.connected(purpose))
                try serve(work, connection)
            } catch let failure {
                // Closed while it connected.
                if queue.isOver { break }
                if isReady || failure != error { options.report(.lost(purpose, failure)) }
                // Lost just now: connections that others have made since then may be lost, too.
                if isReady { connections = server.connections }
                ready.store(false, ordering: .releasing)
                error = failure
                let delay = options.backoff.delay(attempt: attempt, random: options.random())
                if rest(work, delay, failure, unlessConnectedSince: connections) { attempt += 1 } else { attempt = 0 }
            }
        }
        ready.store(false, ordering: .releasing)
    }

    // MARK: Connecting

    /// - Parameter error: the reason why there is no connection, for requests that wait too long.
    private func connect(_ work: Work, after error: StoreError?) throws(StoreError) -> PostgresConnection {
        var isConnecting = true
        let connection = try PostgresConnection(
            string, patience: options.patience, deadline: .now() + options.connectTimeout
        ) {
            [self] (descriptor, events, deadline) throws(StoreError) in
            // Nobody needs a new connection, but an existing one finishes its work.
            if isConnecting, queue.isOver { throw StoreError(.closed, "The store is closed.") }
            try pause(work, descriptor, events, deadline, isConnecting ? error ?? Self.late : Self.late)
        }
        do throws(PostgresFailure) {
            try work.prepare(connection)
        } catch {
            throw error.error
        }
        isConnecting = false
        return connection
    }

    /// Waits before the next attempt to connect.
    ///
    /// - Returns: false when another link has connected since, so that there is no reason to wait longer.
    private func rest(
        _ work: Work, _ time: Milliseconds, _ error: StoreError, unlessConnectedSince connections: UInt64
    ) -> Bool {
        let start = MonotonicTime.now()
        while !queue.isOver {
            let isBack = server.connections != connections
            let end = start + (isBack ? min(time, PostgresServerState.pause) : time)
            let now = MonotonicTime.now()
            refuseLate(work, now, error)
            guard now < end else { return !isBack }
            queue.wakeup.wait(min(end, queue.deadline ?? end).since(now))
        }
        return true
    }

    // MARK: Serving

    private func serve(_ work: Work, _ connection: PostgresConnection) throws(StoreError) {
        while true {
            refuseLate(work, .now(), Self.late)
            let (entries, isClosed) = queue.take(weightMax: Work.weightMax)
            if !entries.isEmpty {
                // The requests have received the error themselves.
                try attempt({ _ in }) { () throws(PostgresFailure) in
                    try work.serve(entries.map(\.request), connection, deadline: .now() + options.patience)
                }
            } else if isClosed {
                return
            }
            let now = MonotonicTime.now()
            if work.chores <= now {
                let weight = entries.reduce(0) { $0 + $1.weight }
                try attempt({ options.report(.warning("retention failed \($0.logText)")) }) {
                    () throws(PostgresFailure) in try work.doChore(connection, after: weight)
                }
            } else if entries.isEmpty {
                let time = min(work.chores.since(now), .seconds(3600))
                // Unrequested input: mostly the server's end of the connection.
                if queue.wakeup.wait(time, or: connection.socket, events: POLLIN) { try connection.consume() }
            }
        }
    }

    /// Runs work; only a failure that ends the connection ends the serving.
    ///
    /// - Parameter report: receives any other failure.
    private func attempt(
        _ report: (StoreError) -> Void, _ body: () throws(PostgresFailure) -> Void
    ) throws(StoreError) {
        do throws(PostgresFailure) {
            try body()
        } catch {
            if error.endsConnection { throw error.error }
            report(error.error)
        }
    }

    // MARK: Waiting

    private static var late: StoreError { StoreError(.timeout, "PostgreSQL: the server did not answer in time.") }

    private func pause(
        _ work: Work, _ descriptor: Int32, _ events: Int32, _ deadline: MonotonicTime, _ error: StoreError
    ) throws(StoreError) {
        while true {
            let now = MonotonicTime.now()
            refuseLate(work, now, error)
            guard now < deadline else { throw Self.late }
            let next = min(deadline, queue.deadline ?? deadline)
            if queue.wakeup.wait(next.since(now), or: descriptor, events: events) { return }
        }
    }

    private func refuseLate(_ work: Work, _ now: MonotonicTime, _ error: StoreError) {
        // The server never received these requests.
        for entry in queue.takeLate(now) { work.refuse(entry.request, error.withNothingStored) }
    }
}
