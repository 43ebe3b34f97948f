internal import Glibc
internal import GoHubCore
internal import Logging

/// Accepts for all loops, on the first one, and hands the sockets round.
///
/// One listening socket and one acceptor, and not `SO_REUSEPORT`: a second server on the same port is refused instead
/// of taking half the clients, and the loops get equal shares.
final class Listener: EventHandler {
    /// Accepts in one turn, so that a storm of connects leaves room for those who are connected.
    private static let acceptsMax = 128
    private static let pause: Milliseconds = 500

    private let socket: ListenSocket
    private unowned let owner: HubLoop
    private var next = 0
    private var isOpen = true
    /// Set while accepting is paused for lack of descriptors.
    private(set) var resumeAt: MonotonicTime?

    init(_ socket: ListenSocket, _ owner: HubLoop) throws(SystemError) {
        self.socket = socket
        self.owner = owner
        try owner.loop.register(socket.descriptor, .read, self)
    }

    func readable() {
        for _ in 0..<Self.acceptsMax {
            switch socket.accept() {
            case .none: return
            case .again: continue
            case .exhausted(let code): return pauseAccepting(code)
            case .socket(let descriptor, let peer): hand(descriptor, peer)
            }
        }
    }

    private func hand(_ descriptor: Int32, _ peer: SocketAddress) {
        let shared = owner.shared
        guard shared.addresses.enter() == nil else {
            owner.metrics.rejected += 1
            // A TLS client couldn't read it: it just sees the end.
            if owner.settings.configuration.tls == nil {
                Connection.refuse(descriptor, .unavailable("The server is full.", retryAfterSeconds: 10))
            }
            Glibc.close(descriptor)
            return
        }
        let target = next
        next = (next + 1) % shared.mailboxes.count
        if target == owner.index {
            owner.adopt(descriptor, peer)
        } else {
            owner.outboxes[target].append(.accepted(descriptor, peer))
        }
    }

    /// Without descriptors the waiting connection would wake the loop again and again: it is let wait.
    private func pauseAccepting(_ code: Int32) {
        owner.shared.logger.error(
            "accepting is paused: \(systemErrorText(code)); raise the descriptor limit (ulimit -n) or lower connections.max",
            metadata: ["connections": "\(owner.shared.addresses.total)"])
        owner.loop.update(socket.descriptor, [])
        resumeAt = owner.loop.now + Self.pause
    }

    func resumeIfDue(_ now: MonotonicTime) {
        guard isOpen, let due = resumeAt, due <= now else { return }
        resumeAt = nil
        owner.loop.update(socket.descriptor, .read)
    }

    func writable() {}

    func broken() {
        owner.shared.logger.critical("the listening socket has failed")
        close()
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        resumeAt = nil
        owner.loop.unregister(socket.descriptor)
        Glibc.close(socket.descriptor)
    }
}

extension Connection {
    /// Answers a socket that becomes no connection, as far as it takes the answer at once, which is all of it.
    ///
    /// What the peer has sent already is read first: closing a socket with unread bytes resets it, and the answer
    /// could be lost with that.
    static func refuse(_ descriptor: Int32, _ rejection: UpgradeRejection) {
        withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 16) { buffer in
            _ = retryingInterrupts { Glibc.recv(descriptor, buffer.baseAddress, buffer.count, 0) }
        }
        let response = UpgradeResponse.reject(rejection, at: .now())
        _ = retryingInterrupts { Glibc.send(descriptor, response, response.count, Int32(MSG_NOSIGNAL)) }
    }
}
