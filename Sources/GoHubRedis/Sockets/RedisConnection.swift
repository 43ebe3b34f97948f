internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

/// One connection, from the look-up of its host to its end. Belongs to the bus thread.
struct RedisConnection {
    enum Progress {
        case connected
        case failed(RedisError)
    }

    private enum Phase {
        /// To `connecting`.
        case resolving(number: UInt64)
        /// To another address, to `securing`, or to `open`.
        case connecting(RedisSocket, until: MonotonicTime)
        /// To another address, or to `open`.
        case securing(RedisSocket, until: MonotonicTime)
        case open(RedisSocket)
        case failed
    }

    let address: RedisAddress
    /// Different for each connection of a bus, unlike the descriptor.
    let number: UInt64
    /// `nil` for a connection without encryption.
    private let tls: TLSClientContext?
    private let limits: RedisLimits
    /// The end of the attempt, for all addresses of the host together.
    private let due: MonotonicTime
    private var phase = Phase.failed
    /// Addresses that weren't tried.
    private var candidates: ArraySlice<ServerAddress> = []
    private var timeoutOfEach: Milliseconds = 0
    /// The failure of the address that was tried last.
    private var failure = ""

    /// - Parameter due: the end of the attempt, for all addresses of the host together.
    init(
        _ address: RedisAddress, number: UInt64, tls: TLSClientContext?, due: MonotonicTime, limits: RedisLimits
    ) {
        self.address = address
        self.number = number
        self.tls = tls
        self.due = due
        self.limits = limits
    }

    /// The socket of an open connection.
    var socket: RedisSocket? {
        guard case .open(let socket) = phase else { return nil }
        return socket
    }

    // MARK: Connecting

    /// Begins. Called once.
    mutating func begin(_ lookup: HostLookup, now: MonotonicTime) -> Progress? {
        if let addresses = HostLookup.numeric(address) { return use(addresses, now) }
        phase = .resolving(number: lookup.begin(address))
        return nil
    }

    mutating func resolved(_ answer: HostLookup.Answer, now: MonotonicTime) -> Progress? {
        guard case .resolving(let number) = phase, number == answer.number else { return nil }
        switch answer.addresses {
        case .success(let addresses): return use(addresses, now)
        case .failure(let error): return fail(error)
        }
    }

    private mutating func use(_ addresses: [ServerAddress], _ now: MonotonicTime) -> Progress? {
        candidates = addresses[...]
        // An address that leads nowhere leaves time for the others.
        timeoutOfEach = Milliseconds(due.since(now).value / UInt64(max(1, addresses.count)))
        return tryNext(now)
    }

    private mutating func tryNext(_ now: MonotonicTime) -> Progress? {
        while let candidate = candidates.popFirst() {
            do throws(SystemError) {
                let socket = try RedisSocket(to: candidate, userTimeout: limits.userTimeout)
                phase = .connecting(socket, until: now + timeoutOfEach)
                return nil
            } catch {
                failure = systemErrorText(error.code)
            }
        }
        return fail(
            RedisError(
                .unreachable,
                "Redis: \(address) can't be reached: \(failure). Check that the server runs, and the address in "
                    + "cluster.redis."))
    }

    private mutating func fail(_ error: RedisError) -> Progress {
        phase = .failed
        return .failed(error)
    }

    // MARK: Waiting

    /// The socket and events to wait for.
    ///
    /// - Parameter hasOutput: whether there is something to send.
    func pollEntry(hasOutput: Bool) -> pollfd {
        switch phase {
        case .connecting(let socket, _): Self.entry(socket, POLLOUT)
        case .securing(let socket, _): Self.entry(socket, socket.events(hasOutput: false))
        case .open(let socket): Self.entry(socket, socket.events(hasOutput: hasOutput))
        // The system ignores a descriptor below 0.
        case .resolving, .failed: pollfd(fd: -1, events: 0, revents: 0)
        }
    }

    private static func entry(_ socket: RedisSocket, _ events: Int32) -> pollfd {
        pollfd(fd: socket.rawValue, events: Int16(truncatingIfNeeded: events), revents: 0)
    }

    /// The time of the next `timerFired`.
    var deadline: MonotonicTime? {
        switch phase {
        case .connecting(_, let until), .securing(_, let until): until
        case .resolving, .open, .failed: nil
        }
    }

    /// Handles a socket that is ready while it connects. An open one is its user's.
    mutating func ready(now: MonotonicTime) -> Progress? {
        switch phase {
        case .connecting(let socket, let until):
            if let error = socket.connectError() {
                failure = systemErrorText(error.code)
                return tryNext(now)
            }
            guard let tls else { return open(socket) }
            phase = .securing(socket, until: until)
            return secured(socket, socket.startTLS(tls, host: address.host))
        case .securing(let socket, _): return secured(socket, socket.handshake())
        case .resolving, .open, .failed: return nil
        }
    }

    private mutating func secured(_ socket: RedisSocket, _ progress: RedisSocket.Progress) -> Progress? {
        switch progress {
        case .done: open(socket)
        case .waiting: nil
        // Another address of the host has the same certificate.
        case .failed(let error): fail(error)
        }
    }

    private mutating func open(_ socket: RedisSocket) -> Progress {
        phase = .open(socket)
        return .connected
    }

    mutating func timerFired(now: MonotonicTime) -> Progress? {
        guard let deadline, deadline <= now else { return nil }
        failure =
            if case .securing = phase {
                "it does not answer the TLS handshake, so it may be a server without TLS (redis://)"
            } else {
                "it does not answer"
            }
        return tryNext(now)
    }
}
