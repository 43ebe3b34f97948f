internal import DequeModule
internal import Synchronization

/// A whole hub for a server with its own sockets, and for tests without any.
///
/// It runs the same `HubState` and `SessionStateMachine` as the daemon, behind a small shell. Inputs are put into an
/// inbox. The first caller that finds the inbox idle drains it in order; other callers only enqueue (flat combining).
/// So the state has one owner at a time, and the hub needs no thread and never waits for its own store.
///
/// ```swift
/// let hub = Hub()
/// let alice = try await hub.connect(Credentials(user: UserID("alice")!))
/// let bob = try await hub.connect(Credentials(user: UserID("bob")!))
/// try await alice.join(RoomName("lobby")!)
/// try await bob.join(RoomName("lobby")!)
/// try await alice.send("hello", to: RoomName("lobby")!)
/// let message = await bob.nextMessage()
/// ```
///
/// The server's own operations are in `HubControl`, to which the hub conforms (`+Control`).
///
/// An embedder can supply these parts. The other modules' are in Docs/Architecture.md, under "Extension points".
///
/// - `MessageStore` (`Storage/MessageStore.swift`), `AsyncMessageStore` (`Storage/AsyncMessageStore.swift`): the store
///   of messages, receipts, mutes and bans
/// - `TokenVerifier` (`Auth/TokenVerifier.swift`): the tokens
/// - `FileStore`, `FileReader` (`Files/FileStore.swift`): the place of file contents, in `SessionContext`
/// - `RoomFiles` (`Files/RoomFiles.swift`): the files of the store in memory
/// - `SlashCommand` and its closure `run` (`SlashCommands/SlashCommand.swift`): commands typed as text, in
///   `SessionContext`
/// - `WritePump` (`Pumps/Pumps.swift`): a client's transport, for `attach`; `Outbox` (`Embedding/Outbox.swift`) is one,
///   with a closure `onWritable`
/// - `Hub.Time` (`Embedding/HubTime.swift`): the clocks
/// - the closure `moderated` of `init`: an audit log of moderators' actions
/// - the closure `fetch` of `JWKSCache` (`Tokens/JWKSCache.swift`): the download of a key set
public final class Hub: Sendable {
    /// Large, rare cases are indirect: each text is copied at the size of the largest direct case.
    enum Input: Sendable {
        indirect case opened(SessionID, address: String, Credentials?, any WritePump & Sendable)
        case text(SessionID, String)
        case binary(SessionID, [UInt8])
        case command(SessionID, Command)
        indirect case answered(SessionID, SessionAnswer)
        case readable(SessionID, CheckedContinuation<Void, Never>)
        case becameWritable(SessionID)
        case transportClosed(SessionID)
        case hub(HubInput)
        /// A request of the server itself, with the completion for its reply.
        case asked(CommandID, @Sendable (Requester) -> HubInput, reply: @Sendable (Event) -> Void)
        /// A query on the shard. Its result is called when the shard is idle.
        case visit(@Sendable (inout Shard, MonotonicTime) -> @Sendable () -> Void)
        case storeAnswered(StoreAnswer)
        case tick
    }

    private struct Inbox {
        var inputs: Deque<Input> = []
        var isRunning = false
    }

    /// Its one edge.
    static let edge = EdgeID(0)

    /// The limits, rates and parts that all sessions of this hub share.
    public let context: SessionContext
    let store: any MessageStore
    private let verifier: (any TokenVerifier)?
    private let moderated: @Sendable (Sanction.Record) -> Void
    let time: Hub.Time
    private let draining = Atomic(false)
    private let inbox = Mutex(Inbox())
    /// Held only by the caller that drains the inbox; never while another lock of the hub is held.
    private let shell: Mutex<HubShell>
    private let lastSerial = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - context: limits, rates, slash commands, and the destination of uploads.
    ///   - store: the store of messages, receipts, mutes and bans.
    ///   - verifier: verifies the clients' tokens. Without one, every token is refused.
    ///   - time: the clocks. A test can supply its own.
    ///   - moderated: receives moderators' actions, for an audit log. It runs on the caller whose input the hub
    ///     processes, so it should return quickly.
    public init(
        context: SessionContext = SessionContext(), store: any MessageStore = InMemoryMessageStore(),
        verifier: (any TokenVerifier)? = nil, time: Hub.Time = .system,
        moderated: @escaping @Sendable (Sanction.Record) -> Void = { _ in }
    ) {
        self.moderated = moderated
        self.context = context
        self.store = store
        self.verifier = verifier
        self.time = time
        shell = Mutex(HubShell(context: context))
    }

    // MARK: Connecting

    /// Attaches a transport: the pump writes the hub's events, the connection receives the client's commands.
    ///
    /// The client must send `hello`, as in the protocol.
    /// - Parameters:
    ///   - pump: the only writer of the client's transport.
    ///   - address: the peer's address as counted by limits: IPv4, or the /64 of IPv6.
    ///   - credentials: set when the server has already verified the client.
    public func attach(
        _ pump: some WritePump & Sendable, address: String, credentials: Credentials? = nil
    ) -> Hub.Connection {
        let id = SessionID(edge: Self.edge, serial: lastSerial.add(1, ordering: .relaxed).newValue)
        submit(.opened(id, address: address, credentials, pump))
        return Hub.Connection(session: id, hub: self)
    }

    /// Connects a client inside this process, such as a bot or a test.
    ///
    /// - Throws: `HubClient.Failure` when the hub refuses it.
    public func connect(
        _ credentials: Credentials, device: DeviceID? = nil, address: String = "in-process"
    ) async throws(HubClient.Failure) -> HubClient {
        let pump = HubClient.Pump(limits: context.limits)
        let connection = attach(pump, address: address, credentials: credentials)
        return try await HubClient(pump, connection).begin(device: device)
    }

    // MARK: Time

    /// Performs the actions that are due: presence, heartbeats, expiry. For servers with their own timer.
    public func tick() {
        submit(.tick)
    }

    /// Ticks until the task is cancelled. A server runs this beside its own loop.
    public func run(every interval: Duration = .milliseconds(100), clock: some Clock<Duration> = .continuous) async {
        while (try? await clock.sleep(for: interval)) != nil {
            tick()
        }
    }

    /// Stops accepting sessions, announces to every client when to reconnect, and closes them over the plan's time.
    public func drain(_ plan: DrainPlan) {
        draining.store(true, ordering: .releasing)
        submit(.hub(.drainStarted(plan)))
    }

    /// Whether new clients are accepted: until a drain is requested.
    public var isAccepting: Bool { !draining.load(ordering: .acquiring) }

    /// Whether a drain was requested and every session has ended.
    public var isDrained: Bool { shell.withLock { $0.isDrained } }

    // MARK: The inbox

    func submit(_ input: Input) {
        let isFirst = inbox.withLock { inbox in
            inbox.inputs.append(input)
            defer { inbox.isRunning = true }
            return !inbox.isRunning
        }
        guard isFirst else { return }
        while let input = nextInput() {
            let requests = shell.withLock { $0.handle(input, now: time.now(), at: time.wall()) }
            for request in requests { fulfil(request) }
        }
    }

    private func nextInput() -> Input? {
        inbox.withLock { inbox in
            let next = inbox.inputs.popFirst()
            if next == nil { inbox.isRunning = false }
            return next
        }
    }

    /// Performs requests that must not run under the shell's lock. Their answers return as inputs.
    private func fulfil(_ request: HubShell.Request) {
        switch request {
        case .store(let request): store.ask(request) { [self] in submit(.storeAnswered($0)) }
        case .moderated(let record): moderated(record)
        case .session(let session, let request):
            context.perform(request, verifier: verifier) { [self] in submit(.answered(session, $0)) }
        case .release(let lease): context.files?.release(lease)
        case .discard(let answer): context.discard(answer)
        case .resume(let waiting): waiting.resume()
        case .reply(let reply): reply()
        }
    }

    // MARK: Reading

    /// Waits until earlier inputs are handled, and then while reading is paused for the session. So a connection has at
    /// most one message in the inbox, however slow the hub is.
    func waitToRead(_ id: SessionID) async {
        await withCheckedContinuation { submit(.readable(id, $0)) }
    }
}

extension Hub {
    /// Passes a transport's incoming messages to the hub.
    public struct Connection: Sendable {
        let session: SessionID
        let hub: Hub

        /// The session's id, as in `welcome`: of no other hub, node or life.
        public var id: ClusterSessionID { ClusterSessionID(node: hub.context.incarnation, session: session) }

        /// Receives one text message. Returns when the client may be read again, so that a loop around it is the read
        /// pump.
        public func receive(_ text: String) async {
            hub.submit(.text(session, text))
            await hub.waitToRead(session)
        }

        /// Receives one binary message: a part of an upload. Returns like `receive` of a text.
        public func receive(binary message: [UInt8]) async {
            hub.submit(.binary(session, message))
            await hub.waitToRead(session)
        }

        func receive(_ command: Command) {
            hub.submit(.command(session, command))
        }

        /// Reports that the write pump has fallen below its watermark.
        public func becameWritable() {
            hub.submit(.becameWritable(session))
        }

        /// Reports that the transport has ended. Call it once its reading has ended, for whatever reason.
        public func closed() {
            hub.submit(.transportClosed(session))
        }
    }
}
