import Glibc
import GoHubTestSupport
import Synchronization

/// A proxy between a store and its server, on the loopback interface, that injects network faults.
final class FaultyProxy: Sendable {
    enum Mode: Sendable {
        case forward
        /// The server gets the next COMMIT and runs it. Its answer is lost with the connection.
        case loseAnswerOfCommit
        /// Forwards nothing more, without closing anything.
        case freeze
    }

    private struct State {
        var mode = Mode.forward
        var isOver = false
        /// The number of lost answers.
        var lost = 0
    }

    let port: UInt16
    private let state: Mutex<State>
    private let listener: Int32
    private let target: UInt16

    init(to target: UInt16) throws {
        self.target = target
        listener = Loopback.socket()
        guard Loopback.bind(listener), listen(listener, 16) == 0 else {
            throw PostgresServer.Failure(description: "listen: error \(errno)")
        }
        port = Loopback.port(of: listener)
        state = Mutex(State())
        let (listener, target) = (listener, target)
        runThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else {
                    if client >= 0 { close(client) }
                    return
                }
                let server = Loopback.socket()
                guard Loopback.connect(server, port: target) else {
                    close(client)
                    close(server)
                    continue
                }
                runThread { self.pump(client, server) }
            }
        }
    }

    /// Resets all of its connections, and accepts no more.
    func end() {
        state.withLock { $0.isOver = true }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var mode: Mode {
        get { state.withLock { $0.mode } }
        set { state.withLock { $0.mode = newValue } }
    }

    var lost: Int { state.withLock { $0.lost } }

    private func pump(_ client: Int32, _ server: Int32) {
        defer {
            close(client)
            close(server)
        }
        var isLosing = false
        while !state.withLock({ $0.isOver }) {
            var waiting = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            _ = poll(&waiting, 2, 20)
            let mode = mode
            if case .freeze = mode {
                // A poll that returns immediately would spin.
                usleep(10_000)
                continue
            }
            if waiting[0].revents != 0 {
                guard let bytes = Self.read(client) else { return }
                if case .loseAnswerOfCommit = mode, Self.contains(bytes, "COMMIT") { isLosing = takesLoss() }
                guard Self.write(server, bytes) else { return }
            }
            if waiting[1].revents != 0 {
                guard let bytes = Self.read(server) else { return }
                if isLosing {
                    // ReadyForQuery ends an answer: by then the server has committed.
                    guard Self.contains(bytes, "COMMIT") else { continue }
                    state.withLock { $0.lost += 1 }
                    return
                }
                guard Self.write(client, bytes) else { return }
            }
        }
    }

    /// Whether this connection's answer is the next to be lost: the first connection that asks gets it.
    private func takesLoss() -> Bool {
        state.withLock { state in
            guard case .loseAnswerOfCommit = state.mode else { return false }
            state.mode = .forward
            return true
        }
    }

    private static func read(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    private static func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func contains(_ bytes: [UInt8], _ text: String) -> Bool {
        let text = Array(text.utf8)
        guard bytes.count >= text.count else { return false }
        return (0...bytes.count - text.count).contains { bytes[$0..<$0 + text.count].elementsEqual(text) }
    }
}
