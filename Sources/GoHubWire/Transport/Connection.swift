internal import DequeModule
internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

/// One TCP connection on its loop: TLS, the request head, then a WebSocket or plain HTTP, and the close.
///
/// It is the write pump and the read pump of its client. Everything here runs on the loop's thread.
///
/// The methods are in files in the order of the data's path: `+Reading`, `+Upgrade`, `+WebSocket`, `+Writing`,
/// `+Closing`.
final class Connection {
    /// Exits: `handshaking` (TLS) → `readingHead` → `authorizing`, when a token came with the handshake → `open` (a
    /// WebSocket), or `http` (any other HTTP); → `closing`, once a close frame is queued → `lingering`, once everything
    /// is written → `closed`. A rejected request goes from `readingHead` or `authorizing` to `lingering`; a broken
    /// transport goes directly to `closed`.
    enum Phase {
        case handshaking
        indirect case readingHead(HeadBuffer)
        indirect case authorizing(UpgradeRequest)
        /// The owner's object for the conversation lives as long as this phase.
        case open(ConnectionCompanion)
        case http(HTTPRelay)
        /// A close frame is queued; the peer's is awaited.
        indirect case closing(peerHasClosed: Bool, until: MonotonicTime)
        /// The last bytes are queued or written. Further input is discarded, so that closing doesn't reset the
        /// connection before the peer has read the last bytes.
        indirect case lingering(until: MonotonicTime)
        case closed
    }

    /// The beginning of a request, kept over reads.
    struct HeadBuffer {
        var parser: RequestHeadParser
        let bytes: HeldBytes
    }

    /// The connection's number on the loop; also the serial of its session.
    let serial: UInt64
    let descriptor: Int32
    /// Receives the connection's events, and keeps it in its table until it is closed.
    let owner: any ConnectionOwner
    /// The same object.
    let services: any ConnectionServices
    let loop: EventLoop
    let resources: ConnectionResources
    let settings: ConnectionSettings
    var phase: Phase
    var tls: TLSEngine?
    /// The peer's address: from the socket, and after the head was read as counted by limits.
    let peer: SocketAddress
    var limitKey: String?

    // Reading
    var reader: WebSocketReader
    var isReadingPaused = false
    /// Bytes read from the socket before a message in them paused reading; at most one read.
    var unread: [UInt8] = []
    var messageDeadline: MonotonicTime?
    /// TLS wants the socket writable before it can read, or readable before it can write.
    var readWantsWrite = false
    var writeWantsRead = false

    // Writing
    var outgoing: Outgoing
    /// Whether the client is behind.
    var isBacklogged = false
    var usesDeflate = false
    var isFlushScheduled = false
    var interest: Interest = .read

    // Time
    let openedAt: MonotonicTime
    /// The earliest call requested from the owner.
    var scheduledAt = MonotonicTime(nanoseconds: .max)

    init(
        serial: UInt64, descriptor: Int32, peer: SocketAddress, owner: some ConnectionOwner & ConnectionServices,
        tls: TLSEngine?
    ) {
        self.serial = serial
        self.descriptor = descriptor
        self.peer = peer
        self.owner = owner
        services = owner
        self.tls = tls
        settings = owner.settings
        resources = owner.resources
        let head = HeadBuffer(
            parser: RequestHeadParser(limits: settings.head), bytes: HeldBytes(resources.held))
        phase = tls == nil ? .readingHead(head) : .handshaking
        reader = WebSocketReader(limits: settings.reader)
        outgoing = Outgoing(bytesMax: settings.queueBytesMax, watermarkBytes: settings.queueWatermarkBytes)
        loop = owner.loop
        openedAt = loop.now
    }

    /// Begins to watch the socket.
    func start() throws(SystemError) {
        try loop.register(descriptor, .read, self)
        arm()
    }

    var isOpen: Bool { if case .open = phase { true } else { false } }
    /// The owner's object for the conversation, while the WebSocket is open.
    var companion: ConnectionCompanion? { if case .open(let companion) = phase { companion } else { nil } }
    var isClosed: Bool { if case .closed = phase { true } else { false } }

    // MARK: Deadlines

    /// The next deadline of the transport itself, apart from its session.
    private var deadline: MonotonicTime? {
        switch phase {
        case .handshaking, .readingHead, .authorizing: return openedAt + settings.configuration.headTimeout
        case .open(let companion):
            let deadline = companion.nextDeadline
            return messageDeadline.map { min($0, deadline) } ?? deadline
        case .closing(_, let deadline), .lingering(let deadline): return deadline
        case .http(let relay): return relay.deadline
        case .closed: return nil
        }
    }

    /// Requests a timer when none is set that fires early enough.
    func arm() {
        guard let deadline, deadline < scheduledAt else { return }
        scheduledAt = deadline
        services.schedule(self, at: deadline)
    }

    /// Performs the transport's due work.
    ///
    /// - Returns: whether the session, if there is one, should be called as well.
    func timerFired() -> Bool {
        let now = loop.now
        // This timer was replaced by an earlier one: if it requested another, they would multiply.
        guard scheduledAt <= now else { return false }
        scheduledAt = MonotonicTime(nanoseconds: .max)
        defer { arm() }
        switch phase {
        case .handshaking: if isDue(now) { abort("no TLS handshake in time") }
        case .readingHead: if isDue(now) { reject(.requestTimeout) }
        case .authorizing:
            if isDue(now) { reject(.unavailable("The token could not be verified in time.", retryAfterSeconds: 5)) }
        case .open:
            if let messageDeadline, messageDeadline <= now {
                fail(.protocolError("a message took too long"))
                return false
            }
            return true
        case .closing, .lingering: if isDue(now) { abort(nil) }
        case .http(let relay): relay.timerFired()
        case .closed: break
        }
        return false
    }

    private func isDue(_ now: MonotonicTime) -> Bool {
        deadline.map { $0 <= now } ?? false
    }
}
