internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

/// The socket of one connection, with TLS or without. It never blocks.
final class RedisSocket {
    enum Progress {
        case done
        case waiting
        case failed(RedisError)
    }

    enum Received {
        /// - `mayHaveMore`: whether it is worth receiving again before waiting.
        case bytes(Int, mayHaveMore: Bool)
        /// Nothing is there yet.
        case nothing
        case ended(RedisError)
    }

    private let descriptor: OwnedDescriptor
    private var tls: TLSClientConnection?
    /// Whether the peer takes no more bytes. What it has sent before can still be received.
    private var isBroken = false

    // TLS may have to send in order to receive, and the other way round.
    private var receivesWhenWritable = false
    private var sendsWhenReadable = false
    /// The failure of TLS, told by the next `receive`.
    private var failure: RedisError?

    /// Begins to connect.
    ///
    /// - Parameter userTimeout: the time that sent bytes may stay unacknowledged before the kernel ends the connection.
    init(to address: ServerAddress, userTimeout: Milliseconds) throws(SystemError) {
        descriptor = try OwnedDescriptor("socket") {
            socket(address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
        let fd = descriptor.rawValue
        // A turn's bytes are sent in one call, so waiting to fill a segment would only delay them.
        Self.set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        // A peer whose machine or network has vanished is noticed, with data under way and without.
        Self.set(fd, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(clamping: userTimeout.value))
        Self.set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        Self.set(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 5)
        Self.set(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 2)
        let result = address.withSockaddr { connect(fd, $0, $1) }
        // An interrupted attempt continues, like every one of a socket that doesn't block.
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw SystemError("connect") }
    }

    deinit {
        // While the descriptor is open.
        tls?.close()
    }

    private static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        // Valid for every TCP socket; without one of them, a dead peer is noticed later.
        setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// For `poll`.
    var rawValue: Int32 { descriptor.rawValue }

    // MARK: Connecting

    /// The outcome of connecting, once the socket is writable; `nil` for success.
    func connectError() -> SystemError? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else {
            return SystemError("getsockopt")
        }
        return code == 0 ? nil : SystemError("connect", code: code)
    }

    /// Begins TLS on a connected socket.
    ///
    /// - Parameter host: the server's certificate must be valid for it, unless the context names another one.
    func startTLS(_ context: TLSClientContext, host: String) -> Progress {
        do throws(TLSError) {
            tls = try TLSClientConnection(context: context, host: host, descriptor: descriptor.rawValue)
        } catch {
            return .failed(.tls(error))
        }
        return handshake()
    }

    /// Continues the handshake of TLS.
    func handshake() -> Progress {
        receivesWhenWritable = false
        switch tls?.handshake() {
        case .done, nil: return .done
        case .wantRead: return .waiting
        case .wantWrite:
            receivesWhenWritable = true
            return .waiting
        case .failed(let error): return .failed(.tls(error))
        }
    }

    // MARK: Exchanging bytes

    /// Whether there is something to receive of which `poll` doesn't tell.
    var hasInput: Bool { failure != nil || tls.map { $0.pendingBytes > 0 } ?? false }

    /// The events to wait for.
    ///
    /// - Parameter hasOutput: whether there is something to send.
    func events(hasOutput: Bool) -> Int32 {
        let sends = hasOutput && !isBroken && !sendsWhenReadable
        return POLLIN | (sends || receivesWhenWritable ? POLLOUT : 0)
    }

    func receive(into memory: UnsafeMutableRawBufferPointer) -> Received {
        if let failure { return .ended(failure) }
        if let tls { return receive(into: memory, tls) }
        let fd = descriptor.rawValue
        let count = retryingInterrupts { recv(fd, memory.baseAddress, memory.count, 0) }
        if count > 0 { return .bytes(count, mayHaveMore: count == memory.count) }
        if count == 0 { return .ended(.ended) }
        switch errno {
        case EAGAIN: return .nothing
        case ECONNRESET, EPIPE: return .ended(.ended)
        default: return .ended(.broken(SystemError("recv")))
        }
    }

    private func receive(into memory: UnsafeMutableRawBufferPointer, _ tls: TLSClientConnection) -> Received {
        (receivesWhenWritable, sendsWhenReadable) = (false, false)
        switch tls.read(into: memory) {
        // One record at most, and the socket may hold others.
        case .ok(let count): return .bytes(count, mayHaveMore: true)
        case .wantRead: return .nothing
        case .wantWrite:
            receivesWhenWritable = true
            return .nothing
        case .closed: return .ended(.ended)
        case .failed(let error): return .ended(.tls(error))
        }
    }

    /// - Returns: the number of bytes that were sent; 0 if the socket takes none at present, or none any more.
    func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard !isBroken, !bytes.isEmpty else { return 0 }
        if let tls { return send(bytes, tls) }
        let fd = descriptor.rawValue
        let count = retryingInterrupts { Glibc.send(fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
        if count >= 0 { return count }
        // The reason is received, perhaps after words of the server.
        if errno != EAGAIN { isBroken = true }
        return 0
    }

    private func send(_ bytes: UnsafeRawBufferPointer, _ tls: TLSClientConnection) -> Int {
        switch tls.write(bytes) {
        case .ok(let count): return count
        case .wantRead: sendsWhenReadable = true
        case .wantWrite: break
        case .closed: (isBroken, failure) = (true, .ended)
        case .failed(let error): (isBroken, failure) = (true, .tls(error))
        }
        return 0
    }
}
