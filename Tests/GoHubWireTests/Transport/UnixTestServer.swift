import CGoHubLinux
import Dispatch
import Glibc
import Synchronization

@testable import GoHubWire

/// An HTTP server's socket for tunnel tests: a Unix socket that the test itself serves.
///
/// Every call runs on a separate queue and waits for at most a minute.
final class UnixTestServer: @unchecked Sendable {
    // All mutable state is accessed on `queue` only: unchecked is right.

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let path: String
    private let folder: String
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "unix-test-server")

    /// - Parameter backlog: connections that wait to be accepted, and one more.
    init(backlog: Int32 = 16) throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/gohub-tunnel-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        guard let folder = made else { throw Failure(description: "mkdtemp: errno \(errno)") }
        self.folder = folder
        path = "\(folder)/http.sock"
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = SocketAddress.rebound(&address) { bind(descriptor, $0, $1) }
        guard bound == 0, listen(descriptor, backlog) == 0 else { throw Failure(description: "listen: errno \(errno)") }
    }

    deinit {
        close(descriptor)
        unlink(path)
        rmdir(folder)
    }

    /// The next connection from the tunnel, after its PROXY header.
    func accept() async throws -> (peer: Peer, header: [UInt8]) {
        let accepted: Int32 = try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in
                continuation.resume(
                    with: Result {
                        try Self.wait(descriptor, for: POLLIN)
                        // An inherited copy in another test's child process would keep it open.
                        return accept4(descriptor, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
                    })
            }
        }
        let peer = Peer(accepted)
        var header = try await peer.read(16)
        header += try await peer.read(Int(header[14]) << 8 | Int(header[15]))
        return (peer, header)
    }

    fileprivate static func wait(_ descriptor: Int32, for events: Int32) throws {
        var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        guard poll(&polled, 1, 60_000) == 1 else { throw Failure(description: "nothing happened in time") }
    }

    /// The server's end of one connection.
    final class Peer: @unchecked Sendable {
        // As for the server.
        private let descriptor: Int32
        private let queue = DispatchQueue(label: "unix-test-server-peer")
        private let isOpen = Atomic(true)

        fileprivate init(_ descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit {
            if isOpen.load(ordering: .acquiring) { Glibc.close(descriptor) }
        }

        private func perform<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { continuation.resume(with: Result { try body() }) }
            }
        }

        func read(_ count: Int) async throws -> [UInt8] {
            let bytes = try await perform { [self] in try read { $0.count < count ? count - $0.count : 0 } }
            guard bytes.count == count else {
                throw Failure(description: "the stream ended after \(bytes.count) bytes")
            }
            return bytes
        }

        /// The available unread bytes, at most the requested number.
        func peek(_ bytesMax: Int = 65_536) async throws -> Int {
            try await perform { [self] in
                var chunk = [UInt8](repeating: 0, count: bytesMax)
                return max(0, recv(descriptor, &chunk, bytesMax, Int32(MSG_PEEK | MSG_DONTWAIT)))
            }
        }

        func readToEnd() async throws -> [UInt8] {
            try await perform { [self] in try read { _ in 65_536 } }
        }

        /// Up to an empty line.
        func readHead() async throws -> String {
            let bytes = try await perform { [self] in
                try read { $0.suffix(4).elementsEqual("\r\n\r\n".utf8) ? 0 : 1 }
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        private func read(_ wanted: ([UInt8]) -> Int) throws -> [UInt8] {
            var bytes: [UInt8] = []
            while case let count = wanted(bytes), count > 0 {
                try UnixTestServer.wait(descriptor, for: POLLIN)
                var chunk = [UInt8](repeating: 0, count: count)
                let got = recv(descriptor, &chunk, count, 0)
                guard got >= 0 else { throw Failure(description: "recv: errno \(errno)") }
                guard got > 0 else { break }
                bytes += chunk[..<got]
            }
            return bytes
        }

        func write(_ bytes: [UInt8]) async throws {
            try await perform { [self] in
                var sent = 0
                while sent < bytes.count {
                    try UnixTestServer.wait(descriptor, for: POLLOUT)
                    let count = bytes[sent...].withUnsafeBytes {
                        send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
                    }
                    if count < 0, errno == EAGAIN { continue }
                    guard count > 0 else { throw Failure(description: "send: errno \(errno)") }
                    sent += count
                }
            }
        }

        func write(_ text: String) async throws {
            try await write(Array(text.utf8))
        }

        func finishWriting() async throws {
            try await perform { [self] in _ = shutdown(descriptor, Int32(SHUT_WR)) }
        }

        func close() async throws {
            try await perform { [self] in
                isOpen.store(false, ordering: .releasing)
                Glibc.close(descriptor)
            }
        }
    }
}
