import Glibc

/// A WebSocket client that does as little as possible, because callgrind counts its instructions, too. It blocks, and
/// makes no unnecessary copy or search.
final class WireClient {
    private static let waitSecondsMax = 60
    private static let request = Array(
        """
        GET /v1/ws HTTP/1.1\r
        Host: 127.0.0.1\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Protocol: gohub.v1\r
        \r

        """.utf8)

    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    private var filled = 0

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var wait = timeval(tv_sec: Self.waitSecondsMax, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            // A sockaddr_in is what connect takes for AF_INET.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure("connect: errno \(errno)") }
    }

    func close() {
        Glibc.close(descriptor)
    }

    func upgrade() throws {
        try send(Self.request)
        while !buffer[..<filled].suffix(4).elementsEqual("\r\n\r\n".utf8) { try receiveMore() }
        guard buffer[..<filled].starts(with: Array("HTTP/1.1 101 ".utf8)) else { throw Failure("no upgrade") }
        filled = 0
    }

    /// Closes this side, and waits for the server to close its own.
    func end() throws {
        shutdown(descriptor, Int32(SHUT_WR))
        var sink: UInt8 = 0
        while recv(descriptor, &sink, 1, 0) > 0 {}
    }

    /// One text frame. The mask is zero: the payload stays unchanged, and the server's cost is that of any mask.
    static func frame(_ text: String) -> [UInt8] {
        let payload = Array(text.utf8)
        let short = payload.count < 126
        let length = short ? [UInt8(payload.count)] : [126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        return [0x81, 0x80 | length[0]] + length.dropFirst() + [0, 0, 0, 0] + payload
    }

    func send(_ bytes: [UInt8]) throws {
        let sent = Glibc.send(descriptor, bytes, bytes.count, 0)
        guard sent == bytes.count else { throw Failure("send: \(sent < 0 ? "errno \(errno)" : "\(sent) bytes only")") }
    }

    /// The first bytes of an event of one kind.
    struct Kind {
        let prefix: [UInt8]

        init(_ op: String) {
            prefix = Array(#"{"op":"\#(op)""#.utf8)
        }
    }

    /// Receives events until one of each kind has arrived, in any order.
    func receive(_ kinds: [Kind]) throws {
        var missing = kinds
        while !missing.isEmpty {
            while let payload = try takeFrame() {
                if let index = missing.firstIndex(where: { payload.starts(with: $0.prefix) }) {
                    missing.remove(at: index)
                } else if payload.starts(with: Self.error.prefix) {
                    throw Failure(String(decoding: payload, as: UTF8.self))
                }
            }
            if !missing.isEmpty { try receiveMore() }
        }
    }

    private static let error = Kind("error")

    private func receiveMore() throws {
        let count = buffer.withUnsafeMutableBytes { space in
            // In bounds: `filled` is at most the buffer's size.
            recv(descriptor, space.baseAddress?.advanced(by: filled), space.count - filled, 0)
        }
        guard count > 0 else { throw Failure("nothing more came: \(count == 0 ? "closed" : "errno \(errno)")") }
        filled += count
    }

    /// Removes the first frame from the buffer and returns its payload; `nil` while the frame is incomplete.
    private func takeFrame() throws -> [UInt8]? {
        guard filled >= 4 else { return nil }
        var (header, length) = (2, Int(buffer[1]))
        if length == 126 { (header, length) = (4, Int(buffer[2]) << 8 | Int(buffer[3])) }
        guard buffer[1] < 127 else { throw Failure("a frame is larger than any event here") }
        guard filled >= header + length else { return nil }
        let payload = Array(buffer[header..<header + length])
        buffer.withUnsafeMutableBytes { space in
            guard let start = space.baseAddress else { return }
            // Both ranges are in bounds: the frame and the bytes after it lie within `filled` bytes.
            memmove(start, start.advanced(by: header + length), filled - header - length)
        }
        filled -= header + length
        return payload
    }
}
