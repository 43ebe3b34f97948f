import Glibc
import GoHubCore
import GoHubSystem
import GoHubTestSupport
import Logging
import Synchronization
import Testing

@testable import GoHubWire

/// A process without free descriptors. Runs in a separate process, which lowers its limit.
@Suite struct ExhaustionTests {
    @Test func acceptingPausesWithoutDescriptorsAndResumes() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                let log = RecordedLog()
                try await ServerFixture.run(logger: log.logger()) { fixture in
                    let early = try await fixture.join(as: "alice")
                    let waiting = try WaitingClients(20, leaving: 16)
                    try waiting.connect(to: fixture.port)
                    try await fixture.until("it pauses") { await fixture.pauseCount() > 0 }
                    #expect(await fixture.server.statistics().connections < 17)
                    // Connected clients don't notice.
                    try await ExhaustionTests.talk(early, 20)
                    waiting.liftLimit()
                    // All are accepted when descriptors are free again, without a new connection to wake the server.
                    try await fixture.until("all are taken in") { await fixture.server.statistics().connections == 21 }
                    try await fixture.until("its end is told") { log.count(of: "accepting connections again") == 1 }
                    // Regardless of the number of pauses.
                    #expect(log.count(of: "accepting connections is paused") == 1)
                    let line = log.lines().first { $0.contains("accepting connections is paused") } ?? ""
                    #expect(
                        line.contains("error") && line.contains("Too many open files") && line.contains("ulimit -n"))
                }
            }
        }
    }

    /// With a pause that never ends by itself.
    @Test func endedConnectionResumesAccepting() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                try await ServerFixture.run(configure: { $0.loops = 1 }) { fixture in
                    await fixture.server.ask(0, orElse: ()) { $0.listener?.pause = 86_400_000 }
                    let early = try await fixture.join(as: "alice")
                    let leaving = try await fixture.join(as: "bob")
                    let waiting = try WaitingClients(20, leaving: 16)
                    try waiting.connect(to: fixture.port)
                    try await fixture.until("it pauses") { await fixture.pauseCount() == 1 }
                    // The process keeps the descriptors that it needs itself: without any, the runtime would crash.
                    let own = try (0..<3).map { _ in try UnconnectedSocket() }
                    for socket in own { socket.close() }
                    let before = await fixture.turnCount()
                    try await ExhaustionTests.talk(early, 20)
                    // In the meantime there are no futile attempts, and the loop wakes only for messages and timers.
                    #expect(await fixture.pauseCount() == 1)
                    #expect(await fixture.turnCount() - before < 5_000)
                    let accepted = await fixture.server.ask(0, orElse: 0) { $0.lastSerial }
                    await leaving.disconnect()
                    // Its two descriptors, the client's and the server's, are enough to accept two of the waiting
                    // clients.
                    try await fixture.until("two more are taken in") {
                        await fixture.server.ask(0, orElse: 0) { $0.lastSerial } == accepted + 2
                    }
                    try await fixture.until("it pauses again") { await fixture.pauseCount() == 2 }
                    try await ExhaustionTests.talk(early, 20, from: 20)
                    waiting.liftLimit()
                }
            }
        }
    }

    private static func talk(_ client: WebSocketTestClient, _ count: Int, from first: Int = 0) async throws {
        for number in first..<first + count {
            try await client.say("\(number)", in: "lobby", id: "\(number)")
            #expect(try await client.expect("message")["text"] == "\(number)")
        }
    }

    @Test func throttledLogCountsSuppressedLines() {
        let log = RecordedLog()
        let (complaints, logger) = (LogThrottle(), log.logger())
        // An hour, with one report each 10 ms.
        for number in 0..<360_000 as Range<UInt64> {
            complaints.log(
                .warning, "no room", ["number": "\(number)"], now: .ms(20_000 + 10 * number), to: logger)
        }
        let lines = log.lines()
        #expect(lines.count == 360)
        #expect(lines.first == "warning no room number=0")
        #expect(lines.last == "warning no room notLogged=999 number=359000")
    }
}

extension ServerFixture {
    fileprivate func pauseCount() async -> Int {
        await server.ask(0, orElse: 0) { $0.listener?.pauseCount ?? 0 }
    }

    fileprivate func turnCount() async -> UInt64 {
        await server.ask(0, orElse: 0) { $0.loop.turnCount }
    }
}

/// Clients whose sockets exist before the process runs out of descriptors, and connect afterwards.
private final class WaitingClients {
    private let sockets: [UnconnectedSocket]
    private var limit = rlimit()

    /// - Parameter spare: descriptors left for the server.
    init(_ count: Int, leaving spare: Int) throws {
        sockets = try (0..<count).map { _ in try UnconnectedSocket() }
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // The limit applies to descriptor numbers: all below it must be in use, except the spare ones.
        var fillers: [Int32] = []
        while true {
            let filler = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard filler >= 0 else { throw UnconnectedSocket.Failure(code: errno) }
            fillers.append(filler)
            if fillers.count == spare { break }
        }
        limit.rlim_cur = rlim_t((fillers.max() ?? 0) + 1)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        for filler in fillers { close(filler) }
    }

    func connect(to port: UInt16) throws {
        for socket in sockets { try socket.connect(to: port) }
    }

    func liftLimit() {
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Records every log line.
final class RecordedLog: Sendable {
    private let recorded = Mutex<[String]>([])

    func lines() -> [String] { recorded.withLock { $0 } }

    func count(of text: String) -> Int { lines().count { $0.contains(text) } }

    func logger(level: Logger.Level = .info) -> Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = level
        return logger
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var logLevel = Logger.Level.info
        var metadata = Logger.Metadata()

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            log.recorded.withLock { $0.append("\(event.level) \(event.message)\(fields)") }
        }
    }
}

/// A client socket that exists before it connects.
private struct UnconnectedSocket {
    let descriptor: Int32

    struct Failure: Error {
        let code: Int32
    }

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(code: errno) }
    }

    func close() {
        Glibc.close(descriptor)
    }

    func connect(to port: UInt16) throws {
        let result = SocketAddress(ip: [127, 0, 0, 1], port: port).withSockaddr { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else { throw Failure(code: errno) }
    }
}
