import Glibc
import GoHubTestSupport

/// A broken or malicious client: sends arbitrary bytes on a socket, plain or TLS.
///
/// It waits with `poll`, for at most twenty seconds. Bytes that the socket doesn't take immediately stay unsent.
final class HostilePeer: @unchecked Sendable {
    // Used by one task at a time, each started after the previous one has ended: unchecked is right.

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let descriptor: Int32
    private var tls: TLSTestClient?
    private var isOpen = true
    private var received: [UInt8] = []
    private var unsent: ArraySlice<UInt8> = []

    /// - Parameters:
    ///   - receiveBytes: the socket's receive buffer, small for a slow peer.
    ///   - tls: performs a TLS handshake if given.
    init(port: UInt16, receiveBytes: Int32? = nil, tls options: TLSTestClient.Options? = nil) throws {
        descriptor = Loopback.socket()
        guard descriptor >= 0 else { throw Failure(description: "socket: errno \(errno)") }
        if var bytes = receiveBytes { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, 4) }
        guard Loopback.connect(descriptor, port: port) else { throw Failure(description: "connect: errno \(errno)") }
        if let options {
            let client = try TLSTestClient(fd: descriptor, options: options)
            try client.connect()
            tls = client
        }
    }

    deinit {
        end()
    }

    // MARK: Sending

    /// Sends the bytes that the socket takes immediately. The rest goes first in a later call, which then sends nothing
    /// of its own. A connection closed by the server is no error: the server may do that.
    func send(_ bytes: [UInt8]) {
        guard isOpen else { return }
        if unsent.isEmpty { unsent = bytes[...] }
        while !unsent.isEmpty {
            let count = unsent.withUnsafeBytes { bytes -> Int in
                guard let tls else {
                    return Glibc.send(
                        descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
                    )
                }
                if case .ok(let count) = tls.stepWrite(bytes) { return count }
                return 0
            }
            guard count > 0 else { return }
            unsent = unsent.dropFirst(count)
        }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Closes the sending half.
    func finishSending() {
        guard isOpen else { return }
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Disconnects without a close frame, by FIN or by a reset.
    func end(isReset: Bool = false) {
        guard isOpen else { return }
        isOpen = false
        if isReset {
            var lingering = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
        }
        tls = nil
        close(descriptor)
    }

    // MARK: Receiving

    /// Reads and discards the available bytes.
    func drain() {
        guard isOpen else { return }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        if let tls {
            while case .ok(let count) = buffer.withUnsafeMutableBytes({ tls.stepRead(into: $0) }), count > 0 {}
        } else {
            while recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
        }
    }

    /// Reads until a text arrives.
    private func waitFor(_ text: String) throws {
        let wanted = Array(text.utf8)
        while received.firstRange(of: wanted) == nil {
            if let tls {
                let bytes = try tls.read()
                guard !bytes.isEmpty else { throw Failure(description: "ended before '\(text)'") }
                received += bytes
                continue
            }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 60_000) == 1 else { throw Failure(description: "'\(text)' never came") }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw Failure(description: "ended before '\(text)'") }
            received += buffer[..<count]
        }
        received = []
    }

    // MARK: A conversation, as far as it is to go

    func upgrade() throws {
        send(WebSocketTestClient.request())
        try waitFor("\r\n\r\n")
    }

    static func text(_ text: String) -> [UInt8] { WebSocketTestClient.frame(1, Array(text.utf8)) }

    static func hello(_ user: String) -> [UInt8] { text(#"{"op":"hello","user":"\#(user)","device":"d"}"#) }

    static func join(_ room: String) -> [UInt8] { text(#"{"op":"join","id":"j","room":"\#(room)"}"#) }

    func hello(_ user: String) throws {
        try upgrade()
        send(Self.hello(user))
        try waitFor(#""op":"welcome""#)
    }

    func join(_ room: String, as user: String) throws {
        try hello(user)
        send(Self.join(room))
        try waitFor(#""op":"joined""#)
    }
}
