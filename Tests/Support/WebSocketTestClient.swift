internal import Dispatch
internal import Foundation
internal import Glibc

/// A WebSocket client for tests, on a real socket, plain or TLS.
///
/// Every call works on the client's own queue and waits for at most `timeoutMs`: a hung server fails a test, and
/// neither hangs it nor blocks the threads that the server's own tasks need.
public final class WebSocketTestClient: @unchecked Sendable {
    // All mutable state is used on `queue` only: unchecked is correct.

    public enum Message: Equatable, Sendable {
        case text(String)
        case binary([UInt8])
        /// A text message under permessage-deflate, as received.
        case compressedText([UInt8])
        case ping([UInt8])
        case pong([UInt8])
        /// The server's close frame; 1005 for an empty one.
        case close(UInt16, String)
        /// The TCP connection ended.
        case end
    }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let queue = DispatchQueue(label: "websocket-test-client")
    private let fd: Int32
    private var tls: TLSTestClient?
    private let timeoutMs: Int32
    private var buffer: [UInt8] = []
    private var isOpen = true

    // MARK: Connecting

    /// Connects to 127.0.0.1.
    ///
    /// - Parameter receiveBytes: the socket's receive buffer; small for a slow client.
    public init(port: UInt16, receiveBytes: Int32? = nil, timeoutMs: Int32 = 60_000) throws {
        self.timeoutMs = timeoutMs
        fd = Loopback.socket()
        if var bytes = receiveBytes { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, 4) }
        guard Loopback.connect(fd, port: port) else {
            let code = errno
            Glibc.close(fd)
            isOpen = false
            throw Failure(description: "connect: errno \(code)")
        }
    }

    deinit {
        if isOpen { Glibc.close(fd) }
    }

    /// Connects, performs the handshake and returns the response's head.
    @discardableResult
    public func open(
        path: String = "/v1/ws", tls options: TLSTestClient.Options? = nil, fields: [String] = [],
        subprotocols: [String] = ["gohub.v1"]
    ) async throws -> String {
        if let options { try await startTLS(options) }
        try await write(Array(Self.request(path: path, fields: fields, subprotocols: subprotocols).utf8))
        return try await readHead()
    }

    /// A handshake's request.
    public static func request(
        path: String = "/v1/ws", fields: [String] = [], subprotocols: [String] = ["gohub.v1"]
    ) -> String {
        var request = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        request += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        if !subprotocols.isEmpty { request += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n" }
        for field in fields { request += field + "\r\n" }
        return request + "\r\n"
    }

    public func startTLS(_ options: TLSTestClient.Options) async throws {
        try await perform { [self] in
            let client = try TLSTestClient(fd: fd, options: options)
            try client.connect()
            tls = client
        }
    }

    /// Reads until an empty line.
    public func readHead() async throws -> String {
        try await perform { [self] in
            while true {
                if let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) {
                    defer { buffer.removeSubrange(..<end.upperBound) }
                    return String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
                }
                guard try fill() else { throw Failure(description: "the connection ended inside a head") }
            }
        }
    }

    /// Reads exactly this number of bytes.
    public func readBytes(_ count: Int) async throws -> [UInt8] {
        try await perform { [self] in
            while buffer.count < count {
                guard try fill() else { throw Failure(description: "the connection ended after \(buffer.count) bytes") }
            }
            defer { buffer.removeFirst(count) }
            return Array(buffer.prefix(count))
        }
    }

    /// Reads until the end of the stream, which must not be a reset.
    public func readToEnd() async throws -> [UInt8] {
        try await perform { [self] in
            while try fill(acceptsReset: false) {}
            defer { buffer = [] }
            return buffer
        }
    }

    /// Distinguishes the server's certificates.
    public func serverCertificateSerial() async throws -> Int64? {
        try await perform { [self] in tls?.serverCertificateSerial }
    }

    // MARK: Sending

    public func write(_ bytes: [UInt8]) async throws {
        try await perform { [self] in
            if let tls { return try tls.write(bytes) }
            var sent = 0
            while sent < bytes.count {
                try wait(for: Int16(POLLOUT))
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Failure(description: "send: errno \(errno)") }
                sent += count
            }
        }
    }

    public func send(_ text: String) async throws {
        try await write(Self.frame(1, Array(text.utf8)))
    }

    /// A masked frame.
    ///
    /// - Parameter reserved: the bits RSV1 (4) to RSV3 (1).
    public static func frame(
        _ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, reserved: UInt8 = 0
    ) -> [UInt8] {
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        var frame: [UInt8] = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        switch payload.count {
        case ...125: frame.append(0x80 | UInt8(payload.count))
        case ...0xFFFF: frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: frame += [0x80 | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
        }
        return frame + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    public func sendClose(_ code: UInt16) async throws {
        try await write(Self.frame(8, [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)]))
    }

    /// Ends the sending half of the TCP connection.
    public func finishSending() async throws {
        try await perform { [self] in
            guard shutdown(fd, Int32(SHUT_WR)) == 0 else { throw Failure(description: "shutdown: errno \(errno)") }
        }
    }

    // MARK: Receiving

    /// The server's next message or control frame, which must be whole and unmasked.
    public func next() async throws -> Message {
        try await perform { [self] in
            while true {
                if let message = try takeFrame() { return message }
                guard try fill() else { return .end }
            }
        }
    }

    private func takeFrame() throws -> Message? {
        guard buffer.count >= 2 else { return nil }
        let isCompressed = buffer[0] & 0x40 != 0
        guard buffer[0] & 0xB0 == 0x80, buffer[1] & 0x80 == 0, !isCompressed || buffer[0] & 0xF == 1 else {
            throw Failure(description: "a fragmented or masked frame, or a reserved bit: \(buffer.prefix(2))")
        }
        let lengthBytes = buffer[1] == 126 ? 2 : buffer[1] == 127 ? 8 : 0
        guard buffer.count >= 2 + lengthBytes else { return nil }
        let length =
            lengthBytes == 0
            ? Int(buffer[1]) : buffer[2..<2 + lengthBytes].reduce(0) { $0 << 8 | Int($1) }
        guard buffer.count >= 2 + lengthBytes + length else { return nil }
        let opcode = buffer[0] & 0xF
        let payload = Array(buffer[(2 + lengthBytes)..<(2 + lengthBytes + length)])
        buffer.removeFirst(2 + lengthBytes + length)
        switch opcode {
        case 1 where isCompressed: return .compressedText(payload)
        case 1: return .text(String(decoding: payload, as: UTF8.self))
        case 2: return .binary(payload)
        case 8:
            guard payload.count >= 2 else { return .close(1005, "") }
            return .close(
                UInt16(payload[0]) << 8 | UInt16(payload[1]), String(decoding: payload.dropFirst(2), as: UTF8.self))
        case 9: return .ping(payload)
        case 10: return .pong(payload)
        default: throw Failure(description: "opcode \(opcode)")
        }
    }

    /// Closes the TCP connection.
    ///
    /// - Parameter isReset: by a reset instead of an orderly end.
    public func disconnect(isReset: Bool = false) async {
        try? await perform { [self] in
            guard isOpen else { return }
            isOpen = false
            if isReset {
                var lingering = linger(l_onoff: 1, l_linger: 0)
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
            } else {
                tls?.close()
            }
            tls = nil
            Glibc.close(fd)
        }
    }

    // MARK: Waiting

    private func perform<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }

    /// - Returns: false at the end of the stream.
    private func fill(acceptsReset: Bool = true) throws -> Bool {
        if let tls {
            let bytes = try tls.read()
            buffer += bytes
            return !bytes.isEmpty
        }
        try wait(for: Int16(POLLIN))
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(fd, &chunk, chunk.count, 0)
        if count < 0, errno == ECONNRESET, acceptsReset { return false }
        guard count >= 0 else { throw Failure(description: "recv: errno \(errno)") }
        buffer += chunk[..<count]
        return count > 0
    }

    private func wait(for events: Int16) throws {
        var descriptor = pollfd(fd: fd, events: events, revents: 0)
        guard poll(&descriptor, 1, timeoutMs) == 1 else {
            throw Failure(description: "nothing happened within \(timeoutMs) ms")
        }
    }
}

// MARK: - The protocol

/// A decoded event of the hub.
public struct TestEvent: @unchecked Sendable, CustomStringConvertible {
    // JSONSerialization's values are immutable: unchecked is correct.
    public let fields: [String: Any]
    public let text: String

    public init(_ text: String) throws {
        self.text = text
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        guard let object else { throw WebSocketTestClient.Failure(description: "not an object: \(text)") }
        fields = object
    }

    public var op: String { self["op"] ?? "" }
    public subscript(field: String) -> String? { fields[field] as? String }
    public subscript(field: String) -> Int? { fields[field] as? Int }
    public subscript(field: String) -> Bool? { fields[field] as? Bool }
    public subscript(field: String) -> [[String: Any]]? { fields[field] as? [[String: Any]] }
    public var description: String { text }
}

extension WebSocketTestClient {
    /// The next event with this `op`; others are skipped, an error or a close fails.
    public func expect(_ op: String) async throws -> TestEvent {
        try await expectAny([op])
    }

    /// The next event with one of these `op`s.
    public func expectAny(_ ops: Set<String>) async throws -> TestEvent {
        let wanted = ops.sorted().joined(separator: " or ")
        while true {
            switch try await next() {
            case .text(let text):
                let event = try TestEvent(text)
                if ops.contains(event.op) { return event }
                if event.op == "error" { throw Failure(description: "expected \(wanted), got \(text)") }
            case .close(let code, let reason):
                throw Failure(description: "expected \(wanted), closed \(code) \(reason)")
            case .end: throw Failure(description: "expected \(wanted), the connection ended")
            default: continue
            }
        }
    }

    /// The next close frame; everything before it is skipped.
    public func expectClose() async throws -> UInt16 {
        while true {
            switch try await next() {
            case .close(let code, _): return code
            case .end: throw Failure(description: "the connection ended without a close frame")
            default: continue
            }
        }
    }

    /// Sends `hello` as a user of a hub in development mode, and returns the `welcome`.
    @discardableResult
    public func hello(_ user: String, device: String = "d1") async throws -> TestEvent {
        try await send(#"{"op":"hello","user":"\#(user)","device":"\#(device)"}"#)
        return try await expect("welcome")
    }

    @discardableResult
    public func join(_ room: String, id: String = "j") async throws -> TestEvent {
        try await send(#"{"op":"join","id":"\#(id)","room":"\#(room)"}"#)
        return try await expect("joined")
    }

    /// Sends a text that needs no escaping.
    public func say(_ text: String, in room: String, id: String) async throws {
        try await send(#"{"op":"send","id":"\#(id)","room":"\#(room)","text":"\#(text)"}"#)
    }
}
