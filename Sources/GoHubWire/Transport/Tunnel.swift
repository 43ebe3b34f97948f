internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// A connection to the HTTP server behind the hub, over its Unix socket.
///
/// Bytes that the server doesn't accept wait in one buffer, to which the relay adds nothing until it is empty.
final class Tunnel: EventHandler {
    /// The relay owns this tunnel and closes it on release; no event arrives here afterwards.
    private unowned let relay: HTTPRelay
    private let loop: EventLoop
    private let descriptor: Int32
    private var unsent: [UInt8] = []
    private var written = 0
    private var isFinishing = false
    private var isOpen = true
    private var interest: Interest = .read

    /// - Parameter path: the Unix socket of the HTTP server.
    /// - Throws: `SystemError`, with `EAGAIN` when the server's backlog is full.
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

    /// Whether the server has not accepted everything sent to it.
    var hasUnsent: Bool { !unsent.isEmpty }

    func send(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        unsent.append(contentsOf: bytes)
        writeUnsent()
    }

    /// Ends the data for the server.
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
            // Inside the buffer: `written` is below its count, and the length is the rest.
            let count = unsent.withUnsafeBytes { buffer in
                retryingInterrupts {
                    Glibc.send(
                        descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written,
                        Int32(MSG_NOSIGNAL))
                }
            }
            guard count > 0 else {
                // A server may respond and close before it has read a whole request: the response counts.
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

    /// Handles the server's end. Its earlier output is in the socket's buffer, which the system bounds.
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
