internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// The socket of one connection. It never blocks.
///
/// Everything above reads and writes Redis' protocol through `receive` and `send`, so this is the place for encryption.
final class RedisSocket {
    enum Received {
        /// - `mayHaveMore`: whether it is worth receiving again before waiting.
        case bytes(Int, mayHaveMore: Bool)
        /// Nothing is there yet.
        case nothing
        case ended(RedisError)
    }

    private let descriptor: OwnedDescriptor
    /// Whether the peer takes no more bytes. What it has sent before can still be received.
    private var isBroken = false

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

    // MARK: Exchanging bytes

    /// Whether received bytes are here already, so that `poll` doesn't tell of them.
    var hasInput: Bool { false }

    /// The events to wait for.
    ///
    /// - Parameter hasOutput: whether there is something to send.
    func events(hasOutput: Bool) -> Int32 { POLLIN | (hasOutput && !isBroken ? POLLOUT : 0) }

    func receive(into memory: UnsafeMutableRawBufferPointer) -> Received {
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

    /// - Returns: the number of bytes that were sent; 0 if the socket takes none at present, or none any more.
    func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard !isBroken, !bytes.isEmpty else { return 0 }
        let fd = descriptor.rawValue
        let count = retryingInterrupts { Glibc.send(fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
        if count >= 0 { return count }
        // The reason is received, perhaps after words of the server.
        if errno != EAGAIN { isBroken = true }
        return 0
    }
}
