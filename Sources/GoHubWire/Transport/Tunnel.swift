internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// A connection to the HTTP server behind the hub, over its Unix socket.
///
/// What the server doesn't take waits in one buffer, which its relay doesn't add to until it is empty.
final class Tunnel: EventHandler {
    /// Has this tunnel. When it goes it closes it, and from then on no event comes here.
    private unowned let relay: HTTPRelay
    private let loop: EventLoop
    private let descriptor: Int32
    private var unsent: [UInt8] = []
    private var written = 0
    private var isFinishing = false
    private var isOpen = true
    private var interest: Interest = .read

    /// - Parameter path: the Unix socket of the HTTP server.
    /// - Throws: `SystemError`, with `EAGAIN` when the server has more connections to accept than its backlog holds.
    init(to path: String, on loop: EventLoop, for relay: HTTPRelay) throws(SystemError) {
        self.relay = relay
        self.loop = loop
        let socket = try Self.connect(to: path)
        descriptor = socket.rawValue
        try loop.register(descriptor, interest, self)
        // From here on `close` closes it.
        _ = socket.release()
    }

    private static func connect(to path: String) throws(SystemError) -> OwnedDescriptor {
        let descriptor = try OwnedDescriptor("socket") {
            socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
        guard !DescriptorReserve.isTouched(by: descriptor.rawValue) else { throw SystemError("socket", code: EMFILE) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let isTooLong = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count < room.count else { return true }
            room.copyBytes(from: bytes)
            return false
        }
        guard !isTooLong else { throw SystemError("connect", code: ENAMETOOLONG) }
        // A Unix socket connects at once, or not at all.
        let result = SocketAddress.rebound(&address) { address, length in
            retryingInterrupts { Glibc.connect(descriptor.rawValue, address, length) }
        }
        guard result == 0 else { throw SystemError("connect") }
        return descriptor
    }

    // MARK: To the server

    /// Whether the server has not taken all that it was sent.
    var hasUnsent: Bool { !unsent.isEmpty }

    func send(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        unsent.append(contentsOf: bytes)
        writeUnsent()
    }

    /// Nothing more comes for the server.
    func finish() {
        isFinishing = true
        writeUnsent()
    }

    func writable() {
        let wasFull = hasUnsent
        writeUnsent()
        if isOpen, wasFull, !hasUnsent { relay.serverTookAll() }
    }

    private func writeUnsent() {
        guard isOpen else { return }
        while written < unsent.count {
            // Inside the buffer: `written` is below its count, and the length is what is left from there.
            let count = unsent.withUnsafeBytes { buffer in
                retryingInterrupts {
                    Glibc.send(
                        descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written,
                        Int32(MSG_NOSIGNAL))
                }
            }
            guard count > 0 else {
                // A server may answer and close before it has read a whole request: the answer counts.
                if count < 0, errno != EAGAIN { return broken() }
                return updateInterest()
            }
            written += count
        }
        unsent = []
        written = 0
        if isFinishing { shutdown(descriptor, Int32(SHUT_WR)) }
        updateInterest()
    }

    // MARK: From the server

    func readable() {
        guard isOpen, relay.takesResponse else { return updateInterest() }
        let count = retryingInterrupts { recv(descriptor, loop.readBuffer.baseAddress, loop.readBuffer.count, 0) }
        if count > 0 {
            relay.fromServer(UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count]))
            updateInterest()
        } else if count == 0 || errno != EAGAIN {
            finished()
        }
    }

    /// The server is done. What it wrote before is in the socket's buffer, which the system bounds.
    func broken() {
        while isOpen {
            let count = retryingInterrupts { recv(descriptor, loop.readBuffer.baseAddress, loop.readBuffer.count, 0) }
            guard count > 0 else { break }
            relay.fromServer(UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count]))
        }
        finished()
    }

    private func finished() {
        guard isOpen else { return }
        close()
        relay.serverFinished()
    }

    // MARK: The socket

    func updateInterest() {
        guard isOpen else { return }
        var wanted: Interest = []
        if relay.takesResponse { wanted.insert(.read) }
        if hasUnsent { wanted.insert(.write) }
        guard wanted != interest else { return }
        interest = wanted
        loop.update(descriptor, wanted)
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        loop.unregister(descriptor)
        Glibc.close(descriptor)
    }
}
