internal import CGoHubLinux
internal import Glibc
internal import GoHubCore

/// Carries a connection that is no WebSocket to the HTTP server behind the hub, byte for byte both ways.
///
/// Each direction holds one buffer: while it isn't taken, the side that fills it is not read.
final class Tunnel: EventHandler {
    /// Has this tunnel in its phase. When it goes it closes it, and from then on no event comes here.
    private unowned let client: Connection
    private let descriptor: Int32
    private var toServer: [UInt8]
    private var written = 0
    private var clientHasFinished = false
    private var serverHasFinished = false
    private var isOpen = true
    private var interest: Interest = [.read, .write]
    /// When bytes last came from either side.
    private(set) var movedAt: MonotonicTime

    /// - Parameters:
    ///   - path: the Unix socket of the HTTP server.
    ///   - firstBytes: the PROXY header and the request head.
    init(to path: String, for client: Connection, firstBytes: [UInt8]) throws(SystemError) {
        self.client = client
        toServer = firstBytes
        movedAt = client.owner.loop.now
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        guard !DescriptorReserve.isTouched(by: descriptor) else {
            Glibc.close(descriptor)
            throw SystemError("socket", code: EMFILE)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let isTooLong = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count < room.count else { return true }
            room.copyBytes(from: bytes)
            return false
        }
        guard !isTooLong else {
            Glibc.close(descriptor)
            throw SystemError("connect", code: ENAMETOOLONG)
        }
        // A Unix socket connects at once; one whose server doesn't accept fast enough says EAGAIN.
        let result = SocketAddress.rebound(&address) { address, length in
            retryingInterrupts { connect(descriptor, address, length) }
        }
        guard result == 0 else {
            let error = SystemError("connect")
            Glibc.close(descriptor)
            throw error
        }
        do throws(SystemError) {
            try client.owner.loop.register(descriptor, interest, self)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    // MARK: From the client

    func fromClient(_ bytes: UnsafeRawBufferPointer) {
        // What a server that is done hasn't read goes nowhere.
        guard isOpen else { return }
        movedAt = client.owner.loop.now
        toServer.append(contentsOf: bytes)
        writable()
    }

    func clientFinished() {
        clientHasFinished = true
        writable()
    }

    func writable() {
        guard isOpen else { return }
        while written < toServer.count {
            // Inside the buffer: `written` is below its count, and the length is what is left from there.
            let count = toServer.withUnsafeBytes { buffer in
                retryingInterrupts {
                    send(
                        descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written,
                        Int32(MSG_NOSIGNAL))
                }
            }
            guard count > 0 else {
                // A server may answer and close before it has read a whole request: the answer counts.
                if count < 0, errno != EAGAIN { return broken() }
                client.pauseReading()
                return updateInterest()
            }
            written += count
        }
        toServer = []
        written = 0
        if clientHasFinished {
            shutdown(descriptor, Int32(SHUT_WR))
        } else {
            client.resumeReading()
        }
        updateInterest()
    }

    // MARK: From the server

    func readable() {
        guard isOpen, !client.hasOutput else { return updateInterest() }
        let buffer = client.owner.loop.readBuffer
        let count = retryingInterrupts { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
        if count > 0 {
            movedAt = client.owner.loop.now
            client.write(Array(buffer[..<count]))
            updateInterest()
        } else if count == 0 || errno != EAGAIN {
            serverFinished()
        }
    }

    /// The client has taken what the server sent.
    func clientTookAll() {
        movedAt = client.owner.loop.now
        serverHasFinished ? endClient() : updateInterest()
    }

    /// The server is done. What it wrote before is in the socket's buffer, which the system bounds.
    func broken() {
        while isOpen {
            let buffer = client.owner.loop.readBuffer
            let count = retryingInterrupts { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
            guard count > 0 else { break }
            client.write(Array(buffer[..<count]))
        }
        serverFinished()
    }

    private func serverFinished() {
        serverHasFinished = true
        close()
        guard client.hasOutput else { return endClient() }
        // A client that is still sending must get through with it, to nobody, before it reads its answer.
        if !clientHasFinished { client.resumeReading() }
    }

    private func endClient() {
        client.phase = .lingering
        client.linger()
    }

    // MARK: The socket

    private func updateInterest() {
        guard isOpen else { return }
        var wanted: Interest = []
        if !client.hasOutput { wanted.insert(.read) }
        if written < toServer.count { wanted.insert(.write) }
        guard wanted != interest else { return }
        interest = wanted
        client.owner.loop.update(descriptor, wanted)
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        client.owner.loop.unregister(descriptor)
        Glibc.close(descriptor)
    }
}
