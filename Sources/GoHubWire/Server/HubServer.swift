public import GoHubCore
public import Logging
internal import Glibc
internal import GoHubSystem
internal import Synchronization

/// A snapshot of a server's load.
public struct ServerStatistics: Hashable, Sendable {
    /// Open connections, of WebSockets and of plain HTTP, with or without a request so far.
    public var connections = 0
    /// Sessions that have received `welcome`.
    public var sessions = 0
    /// Rooms in memory: those with members, and those that wait for the store.
    public var rooms = 0
}

/// A hub that serves WebSocket clients on its own event loops.
///
/// ```swift
/// let server = HubServer(ServerConfiguration(listen: address), context: context, store: store, verifier: verifier,
///                        logger: logger)
/// try server.start()
/// …
/// await server.drain(DrainPlan(closeOver: 5_000, reconnectOver: 20_000))
/// await server.stop()
/// ```
///
/// The server's own operations are in `HubControl`, to which it conforms (`+Control`).
public final class HubServer: Sendable {
    /// Exits: `idle` → `starting` by `start` → `running`, or `idle` again on failure; `running` → `stopped` by `stop`.
    private enum Phase {
        case idle
        case starting
        case running(ServerShared, SocketAddress, [SystemThread])
        case stopped
    }

    private let configuration: ServerConfiguration
    let context: SessionContext
    let store: any MessageStore
    private let verifier: (any TokenVerifier)?
    private let bus: ServerBus?
    private let logger: Logger
    private let phase = Mutex(Phase.idle)
    private let clusterView = Mutex<ClusterView?>(nil)
    private let accepting = Atomic(false)

    /// - Parameters:
    ///   - configuration: the address, TLS and the bounds of connections.
    ///   - context: the limits, rates and parts that all sessions share.
    ///   - store: the store of messages, receipts, mutes and bans. The server does not close it.
    ///   - verifier: verifies the clients' tokens; without one, every token is refused.
    ///   - logger: receives the server's log lines.
    public convenience init(
        _ configuration: ServerConfiguration, context: SessionContext, store: any MessageStore,
        verifier: (any TokenVerifier)?, logger: Logger
    ) {
        self.init(configuration, context: context, store: store, verifier: verifier, bus: nil, logger: logger)
    }

    /// A server that is a node of a cluster with a bus.
    ///
    /// - Parameter bus: not started yet. The server starts and stops it.
    package init(
        _ configuration: ServerConfiguration, context: SessionContext, store: any MessageStore,
        verifier: (any TokenVerifier)?, bus: ServerBus?, logger: Logger
    ) {
        self.configuration = configuration
        self.context = context
        self.store = store
        self.verifier = verifier
        self.bus = bus
        self.logger = logger
    }

    /// Listens and starts the loops. Returns immediately.
    ///
    /// - Throws: `ServerError` when the address can't be listened on or the system lacks resources for a loop.
    ///   Everything is then released, and `start` may be called again.
    public func start() throws(ServerError) {
        // If two calls are concurrent, one starts.
        let isFirst = phase.withLock { phase in
            guard case .idle = phase else { return false }
            phase = .starting
            return true
        }
        guard isFirst else { throw ServerError(.alreadyStarted, "The server has already been started.") }
        do throws(ServerError) {
            let running = try listen()
            phase.withLock { $0 = running }
            shared?.bus?.start()
            // One that came during the start.
            if let view = clusterView.withLock({ $0 }) { update(view) }
            accepting.store(true, ordering: .releasing)
        } catch {
            phase.withLock { $0 = .idle }
            throw error
        }
    }

    private func listen() throws(ServerError) -> Phase {
        let socket = try ListenSocket(configuration.listen)
        do throws(SystemError) {
            let (shared, loops) = try makeLoops(socket)
            return .running(shared, socket.address, try Self.run(loops, shared))
        } catch {
            throw .system(error)
        }
    }

    private func makeLoops(_ socket: ListenSocket) throws(SystemError) -> (ServerShared, [HubLoop]) {
        do throws(SystemError) {
            // Includes the port that the system chose, if it chose.
            var configuration = configuration
            configuration.listen = ListenAddress(socket.address)
            let shared = try ServerShared(
                configuration, context: context, store: store, verifier: verifier, bus: bus, logger: logger)
            var loops: [HubLoop] = []
            for index in shared.mailboxes.indices { loops.append(try HubLoop(index: index, shared: shared)) }
            loops[0].listener = try Listener(socket, loops[0])
            if let view = clusterView.withLock({ $0 }) { Self.send(view, to: shared) }
            return (shared, loops)
        } catch {
            close(socket.descriptor)
            throw error
        }
    }

    /// Starts a thread for each loop.
    private static func run(_ loops: [HubLoop], _ shared: ServerShared) throws(SystemError) -> [SystemThread] {
        var threads: [SystemThread] = []
        for loop in loops {
            // From here on only the loop's thread touches the loop.
            let handover = Handover(loop)
            do throws(SystemError) {
                threads.append(try SystemThread(name: "gohub-loop-\(loop.index)") { handover.take()?.run() })
            } catch {
                // A running loop closes its own resources; the first loop has the listener.
                if threads.isEmpty { loops.first?.listener?.close() }
                for mailbox in shared.mailboxes { mailbox.put([.run({ $0.stop() }, otherwise: {})]) }
                for thread in threads { thread.join() }
                throw error
            }
        }
        return threads
    }

    /// The port of the listener; 0 before the start.
    public var port: UInt16 {
        guard case .running(_, let address, _) = phase.withLock({ $0 }) else { return 0 }
        return address.port
    }

    /// Whether new clients are accepted.
    public var isAccepting: Bool { accepting.load(ordering: .acquiring) }

    // MARK: The cluster

    /// Tells every shard what this node knows of the other nodes on its database. Without a call there is no cluster,
    /// and nothing of it runs. A call before the start holds from the first client on.
    package func update(_ view: ClusterView) {
        clusterView.withLock { $0 = view }
        if let shared { Self.send(view, to: shared) }
    }

    /// Whether other hubs on the database have rooms, members and sessions that this one doesn't know.
    public var hasPeers: Bool { clusterView.withLock { $0?.peers.isEmpty == false } }

    private static func send(_ view: ClusterView, to shared: ServerShared) {
        var view = view
        for mailbox in shared.mailboxes {
            mailbox.put([.input(.clusterChanged(view))])
            // One shard reads the list for all.
            view.directNews = nil
        }
    }

    // MARK: Stopping

    /// Stops accepting, announces to every client when to reconnect, closes all over the plan's time, and returns when
    /// the last one has left. `stop` ends the wait, too.
    public func drain(_ plan: DrainPlan) async {
        guard let shared else { return }
        accepting.store(false, ordering: .releasing)
        shared.mailboxes[0].put([.run({ $0.stopAccepting() }, otherwise: {})])
        for (index, mailbox) in shared.mailboxes.enumerated() where !mailbox.put([.input(.drainStarted(plan))]) {
            shared.drained(index)
        }
        await shared.waitUntilDrained()
    }

    /// Closes the remaining connections and ends the loops.
    public func stop() async {
        accepting.store(false, ordering: .releasing)
        let threads = phase.withLock { phase -> (ServerShared, [SystemThread])? in
            guard case .running(let shared, _, let threads) = phase else { return nil }
            phase = .stopped
            return (shared, threads)
        }
        guard let (shared, loops) = threads else { return }
        for mailbox in shared.mailboxes { mailbox.put([.run({ $0.stop() }, otherwise: {})]) }
        await withCheckedContinuation { continuation in
            // Joining blocks, so it must not run on a thread of the concurrency pool.
            let reaper = try? SystemThread(name: "gohub-reaper") {
                shared.bus?.stop()
                for loop in loops { loop.join() }
                continuation.resume()
            }
            reaper?.detach()
            if reaper == nil { continuation.resume() }
        }
        for index in shared.mailboxes.indices { shared.drained(index) }
    }

    var shared: ServerShared? {
        guard case .running(let shared, _, _) = phase.withLock({ $0 }) else { return nil }
        return shared
    }

    /// The current connections; `nil` unless the server is running.
    var addresses: AddressTable? { shared?.addresses }

    // MARK: Queries on loops

    /// A snapshot of all loops, taken one after the other; all 0 unless the server is running.
    public func statistics() async -> ServerStatistics {
        var total = ServerStatistics()
        for index in shared?.mailboxes.indices ?? 0..<0 {
            let one = await ask(index, orElse: ServerStatistics()) { loop in
                ServerStatistics(
                    connections: loop.connections.count, sessions: loop.shard.state.sessionCount,
                    rooms: loop.shard.state.roomCount)
            }
            total.connections += one.connections
            total.sessions += one.sessions
            total.rooms += one.rooms
        }
        return total
    }

    /// Runs a query on one loop's thread.
    func ask<Value: Sendable>(
        _ index: Int, orElse fallback: Value, _ question: @escaping @Sendable (HubLoop) -> Value
    ) async -> Value {
        guard let shared else { return fallback }
        return await withCheckedContinuation { continuation in
            let message = LoopMessage.run(
                { continuation.resume(returning: question($0)) },
                otherwise: { continuation.resume(returning: fallback) })
            if !shared.mailboxes[index].put([message]) { continuation.resume(returning: fallback) }
        }
    }
}
