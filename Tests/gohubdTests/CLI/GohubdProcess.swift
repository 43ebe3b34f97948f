import CGoHubLinux
import Glibc
import GoHubTestSupport
import Synchronization

/// The program as a child process.
final class GohubdProcess: Sendable {
    private let process: pid_t
    private let errorOutput: Int32
    private let output: Int32
    /// Its exit, from `waitpid`. Code that ends it must wait for it immediately: an unreaped child keeps the thread
    /// busy that waits for exit tests, so that they never end.
    private let status = Mutex<Int32?>(nil)

    struct Failure: Error {
        let what: String
    }

    /// The program that was built beside the tests.
    private static func path() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw Failure(what: "readlink") }
        let tests = String(decoding: buffer[..<count], as: UTF8.self)
        // The test runner's own path may differ: then the first argument is the test bundle.
        for candidate in [tests] + CommandLine.arguments {
            guard let slash = candidate.lastIndex(of: "/") else { continue }
            let path = candidate[...slash] + "gohubd"
            if access(String(path), X_OK) == 0 { return String(path) }
        }
        throw Failure(what: "gohubd isn't beside \(tests)")
    }

    /// - Parameter standardError: the program's standard error, instead of a pipe that is read here. The caller keeps
    ///   ownership.
    init(_ arguments: [String], environment: [String: String] = [:], standardError: Int32? = nil) throws {
        var outputs: [Int32] = [0, 0]
        var errors: [Int32] = [0, 0]
        guard pipe(&outputs) == 0, pipe(&errors) == 0 else { throw Failure(what: "pipe") }
        for descriptor in outputs + errors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, outputs[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, standardError ?? errors[1], STDERR_FILENO)
        // An inherited socket of another test would keep that test's connection open after both sides closed it.
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        let path = try Self.path()
        let texts = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [strdup("PATH=/usr/bin:/bin"), nil]
        defer { for text in texts + variables { free(text) } }
        var process = pid_t()
        guard posix_spawn(&process, path, &actions, nil, texts, variables) == 0 else { throw Failure(what: "spawn") }
        close(outputs[1])
        close(errors[1])
        self.process = process
        output = outputs[0]
        errorOutput = errors[0]
    }

    deinit {
        signal(SIGKILL)
        close(output)
        close(errorOutput)
    }

    /// Reads standard error until a text appears.
    ///
    /// - Returns: the output up to then.
    func waitFor(_ text: String) throws -> String {
        var seen = ""
        while !seen.contains(text) {
            guard let more = read(errorOutput) else { throw Failure(what: "'\(text)' never came: \(seen)") }
            seen += more
        }
        return seen
    }

    /// A value of `/proc/PID/status` in bytes, such as `VmRSS`, the resident memory, and `VmHWM`, its maximum.
    func memory(_ name: String) throws -> Int {
        guard let file = fopen("/proc/\(process)/status", "r") else { throw Failure(what: "no status of \(process)") }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = fread(&buffer, 1, buffer.count, file)
        for line in String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n") {
            guard line.hasPrefix(name + ":"), let kilobytes = Int(line.filter(\.isNumber)) else { continue }
            return kilobytes * 1024
        }
        throw Failure(what: "no \(name) of \(process)")
    }

    func signal(_ signal: Int32) {
        status.withLock { status in
            // Afterwards the process id may belong to another process.
            guard status == nil else { return }
            kill(process, signal)
            if signal == SIGKILL { status = wait() }
        }
    }

    private func wait() -> Int32 {
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return status
    }

    /// Waits for the end.
    ///
    /// - Returns: the exit code (128 plus the signal, if one killed it), and the output since the last read.
    func finish() -> (code: Int32, output: String, errors: String) {
        var texts = ["", ""]
        for (index, descriptor) in [output, errorOutput].enumerated() {
            while let more = read(descriptor) { texts[index] += more }
        }
        let status = status.withLock { status in
            let known = status ?? wait()
            status = known
            return known
        }
        let signal = status & 0x7F
        return (signal == 0 ? (status >> 8) & 0xFF : 128 + signal, texts[0], texts[1])
    }

    /// - Returns: `nil` at the end. A program without output for a minute hangs, and is killed.
    private func read(_ descriptor: Int32) -> String? {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&waiting, 1, 60_000) == 0 { kill(process, SIGKILL) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}

/// A client's socket, blocking.
final class BlockingClient: Sendable {
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = Loopback.socket()
        // A hanging server fails the test instead of blocking it.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard Loopback.connect(descriptor, port: port) else { throw GohubdProcess.Failure(what: "connect to \(port)") }
    }

    deinit {
        close(descriptor)
    }

    func send(_ bytes: [UInt8]) {
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Sends all of it, unless the peer has closed.
    ///
    /// - Returns: the number of bytes that the system accepted.
    @discardableResult
    func sendAll(_ bytes: [UInt8]) -> Int {
        var sent = 0
        while sent < bytes.count {
            // Inside the buffer: `sent` is below its count.
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), buffer.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return sent }
            sent += count
        }
        return sent
    }

    /// Reads the available bytes, or waits for some.
    ///
    /// - Returns: nothing at the end.
    func readSome() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : []
    }

    /// Reads until some bytes come, or the end.
    func read(until end: [UInt8]) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while end.isEmpty || !all.contains(end) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return all }
            all += buffer[..<count]
        }
        return all
    }

    /// Sends a short text in one frame.
    func say(_ text: String) {
        send([0x81, 0x80 | UInt8(text.utf8.count), 0, 0, 0, 0] + Array(text.utf8))
    }

    /// Opens a WebSocket and sends `hello` (RFC 6455, section 4.1; a mask of zeros is valid).
    func hello(as user: String) -> String {
        send(
            Array(
                ("GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").utf8))
        let answer = read(until: Array("\r\n\r\n".utf8))
        say(#"{"op":"hello","user":"\#(user)"}"#)
        return String(decoding: answer + read(until: Array("welcome".utf8)), as: UTF8.self)
    }
}

extension [UInt8] {
    func contains(_ part: [UInt8]) -> Bool {
        guard count >= part.count else { return false }
        return (0...count - part.count).contains { self[$0..<$0 + part.count].elementsEqual(part) }
    }
}
