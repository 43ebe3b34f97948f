internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import Logging

/// Accepts connections for all loops, on the first one, and distributes them.
///
/// One listening socket and one acceptor, and not `SO_REUSEPORT`: a second server on the same port is refused instead
/// of taking half of the clients, and the loops get equal shares.
final class Listener: EventHandler {
    /// Accepts in one turn, so that a storm of connects leaves time for connected clients.
    private static let acceptsMax = 128
    /// The length of a pause when no connection ends earlier.
    var pause: Milliseconds = 500

    private let socket: ListenSocket
    /// The owner holds this listener, and so outlives it.
    private unowned let owner: HubLoop
    private var next = 0
    private var isOpen = true
    /// Set while accepting is paused for lack of descriptors.
    private(set) var resumeAt: MonotonicTime?
    /// Connections at the pause: as soon as there are fewer, a descriptor is free.
    private var connectionsAtPause = 0
    private(set) var pauseCount = 0
    /// A socket that was accepted and not handed on yet.
    private struct Accepted: ~Copyable {
        let descriptor: OwnedDescriptor
        let peer: SocketAddress
    }

    /// A connection that was accepted with a descriptor of the reserve, and waits for another.
    private var parked: Accepted?
    private let logThrottle = LogThrottle()
    /// Whether the last pause was logged, so that its end is logged, too.
    private var hasLogged = false

    init(_ socket: ListenSocket, _ owner: HubLoop) throws(SystemError) {
        self.socket = socket
        self.owner = owner
        try owner.loop.register(socket.descriptor, .read, self)
    }

    func readable() {
        for _ in 0..<Self.acceptsMax {
            switch socket.accept() {
            case .none: return noteRecovery()
            case .again: continue
            case .exhausted(let code): return pauseAccepting(code)
            case .socket(let descriptor, let peer):
                let accepted = Accepted(descriptor: OwnedDescriptor(owning: descriptor), peer: peer)
                guard !DescriptorReserve.isTouched(by: descriptor) else {
                    parked = consume accepted
                    return pauseAccepting(EMFILE)
                }
                hand(accepted)
            }
        }
    }

    /// Logs that the backlog is empty again.
    private func noteRecovery() {
        guard hasLogged else { return }
        hasLogged = false
        owner.shared.logger.notice(
            "accepting connections again: the backlog is empty", metadata: ["pauses": "\(pauseCount)"])
    }

    private func hand(_ accepted: consuming Accepted) {
        let shared = owner.shared
        guard shared.addresses.enter() == nil else {
            owner.metrics.rejected += 1
            // A TLS client couldn't read a response: it only sees the end of the connection.
            if owner.settings.configuration.tls == nil {
                Connection.refuse(
                    accepted.descriptor.rawValue,
                    .unavailable("The server is full. Try again later.", retryAfterSeconds: 10))
            }
            return
        }
        let peer = accepted.peer
        // From here on its connection's.
        let descriptor = accepted.descriptor.release()
        let target = next
        next = (next + 1) % shared.mailboxes.count
        if target == owner.index {
            owner.adopt(descriptor, peer)
        } else {
            owner.outboxes[target].append(.accepted(descriptor, peer))
        }
    }

    /// Pauses accepting. Without free descriptors the waiting connection would wake the loop again and again.
    private func pauseAccepting(_ code: Int32) {
        pauseCount += 1
        connectionsAtPause = owner.shared.addresses.total
        let isLogged = logThrottle.log(
            .error,
            """
            accepting connections is paused: \(systemErrorText(code)); raise the descriptor limit (ulimit -n) or lower \
            connections.max
            """,
            ["connections": "\(connectionsAtPause)", "pauses": "\(pauseCount)"], now: owner.loop.now,
            to: owner.shared.logger)
        if isLogged { hasLogged = true }
        owner.loop.update(socket.descriptor, [])
        resumeAt = owner.loop.now + pause
    }

    /// Called in each turn.
    func resumeIfDue(_ now: MonotonicTime) {
        guard isOpen, let due = resumeAt, due <= now || owner.shared.addresses.total < connectionsAtPause else {
            return
        }
        guard unpark() else { return pauseAccepting(EMFILE) }
        resumeAt = nil
        owner.loop.update(socket.descriptor, .read)
    }

    /// Moves the parked socket to the lowest free descriptor.
    ///
    /// - Returns: false when that is still one of the reserve.
    private func unpark() -> Bool {
        guard let waiting = parked.take() else { return true }
        let lowest = try? OwnedDescriptor("fcntl") { fcntl(waiting.descriptor.rawValue, F_DUPFD_CLOEXEC, 0) }
        guard let lowest, !DescriptorReserve.isTouched(by: lowest.rawValue) else {
            parked = consume waiting
            return false
        }
        hand(Accepted(descriptor: lowest, peer: waiting.peer))
        return true
    }

    func writable() {}

    func broken() {
        owner.shared.logger.critical("the listening socket failed")
        close()
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        resumeAt = nil
        owner.loop.unregister(socket.descriptor)
        Glibc.close(socket.descriptor)
        parked = nil
    }
}

extension Connection {
    /// Sends a response to a socket that becomes no connection, as far as the socket accepts it at once, which is
    /// normally all of it.
    ///
    /// The bytes that the peer has already sent are read first: closing a socket with unread bytes resets it, which
    /// could lose the response.
    static func refuse(_ descriptor: Int32, _ rejection: UpgradeRejection) {
        // The system writes at most the buffer's size, and nobody reads it.
        withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 16) { buffer in
            _ = retryingInterrupts { Glibc.recv(descriptor, buffer.baseAddress, buffer.count, 0) }
        }
        let response = UpgradeResponse.reject(rejection, at: .now())
        _ = retryingInterrupts { Glibc.send(descriptor, response, response.count, Int32(MSG_NOSIGNAL)) }
    }
}
