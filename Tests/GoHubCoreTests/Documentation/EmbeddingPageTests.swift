import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

// begin: socket
/// One client's WebSocket, as the server has it.
protocol ClientSocket: Sendable {
    /// The address that limits count: IPv4, or the /64 of IPv6.
    var address: String { get }
    /// The next text message; `nil` once the client is gone.
    func read() async -> String?
    /// Writes one text message.
    func write(_ text: String) async throws
    /// Writes a close frame and ends the connection.
    func close(_ code: UInt16, reason: String) async
}
// end: socket

// begin: serve
/// Connects a client to the hub, until either of them ends the session.
func serve(_ socket: some ClientSocket, with hub: Hub) async {
    let (writable, isWritable) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let outbox = Outbox(limits: hub.context.limits) { isWritable.yield() }
    let connection = hub.attach(outbox, address: socket.address)
    await withDiscardingTaskGroup { group in
        group.addTask {
            // The only writer of the socket. A failed write ends the session.
            try? await write(outbox, to: socket)
            connection.closed()
        }
        group.addTask {
            for await _ in writable { connection.becameWritable() }
        }
        // The only reader. `receive` returns when the client may be read again.
        while let text = await socket.read() { await connection.receive(text) }
        connection.closed()
        outbox.close(.normal)
        isWritable.finish()
    }
}

/// Writes the hub's events in their order. The last item is the close code.
func write(_ outbox: Outbox, to socket: some ClientSocket) async throws {
    while let item = await outbox.next() {
        switch item {
        case .event(let event): try await socket.write(event.text)
        case .closed(let code): await socket.close(code.rawValue, reason: code.reason)
        }
    }
}
// end: serve

// begin: run
/// A hub with limits that fit each other.
func makeHub(_ limits: Limits) -> Hub? {
    let contradictions = limits.contradictions()
    guard contradictions.isEmpty else {
        print(contradictions.joined(separator: "\n"))
        return nil
    }
    return Hub(context: SessionContext(limits: limits))
}

/// Runs the hub's timers while the server serves. Then closes all sessions, spread over some time.
func run(_ hub: Hub, closingOver time: Milliseconds, serve: () async -> Void) async throws {
    let ticks = Task { await hub.run() }
    defer { ticks.cancel() }
    await serve()
    hub.drain(DrainPlan(closeOver: time, reconnectOver: .seconds(30)))
    while !hub.isDrained { try await Task.sleep(for: .milliseconds(50)) }
}
// end: run

// begin: control
/// Publishes in the name of a bot that is not a client. A retry with the same id is stored once.
func announce(
    _ text: String, in room: RoomID, by bot: Member, id: CommandID, on hub: some HubControl
) async -> Position? {
    switch await hub.publish(text, to: room, from: bot, id: id) {
    case .ack(let ack): return ack.position
    case .error(_, let code, let message, _):
        print("Not announced: \(message) (\(code.rawValue))")
        return nil
    default: return nil
    }
}
// end: control

/// A socket without a network: the test is its client.
private final class TestSocket: ClientSocket {
    private struct Closed: Error {}

    let address = "192.0.2.1"
    private let incoming = AsyncStream.makeStream(of: String.self)
    private let outgoing = AsyncStream.makeStream(of: String.self)
    private let code = Mutex<UInt16?>(nil)

    var closeCode: UInt16? { code.withLock { $0 } }

    // MARK: The server's side

    func read() async -> String? {
        for await text in incoming.stream { return text }
        return nil
    }

    func write(_ text: String) async throws {
        guard closeCode == nil else { throw Closed() }
        outgoing.continuation.yield(text)
    }

    func close(_ code: UInt16, reason: String) async {
        self.code.withLock { $0 = code }
        incoming.continuation.finish()
        outgoing.continuation.finish()
    }

    // MARK: The client's side

    func send(_ texts: String...) {
        for text in texts { incoming.continuation.yield(text) }
    }

    func leave() { incoming.continuation.finish() }

    /// The next event with this `op`.
    func event(_ op: String) async -> String? {
        for await text in outgoing.stream where text.hasPrefix(#"{"op":"\#(op)""#) { return text }
        return nil
    }
}

struct EmbeddingPageTests {
    private let bot = Member(user: .named("bot"))

    /// A hub that believes the name in `hello`.
    private func makeOpenHub() -> Hub { Hub(context: SessionContext(authentication: .development)) }

    @Test func clientOfASocketReceivesItsMessage() async {
        let hub = makeOpenHub()
        let socket = TestSocket()
        async let served: Void = serve(socket, with: hub)
        socket.send(
            #"{"op":"hello","user":"alice"}"#, #"{"op":"join","id":"1","room":"lobby"}"#,
            #"{"op":"send","id":"2","room":"lobby","text":"hello"}"#)
        let message = await socket.event("message")
        #expect(message?.contains(#""text":"hello""#) == true)
        socket.leave()
        await served
        #expect(await hub.members(of: .lobby).count == 0)
    }

    @Test func socketIsClosedWithTheHubsCode() async {
        let hub = makeOpenHub()
        let socket = TestSocket()
        async let served: Void = serve(socket, with: hub)
        socket.send(#"{"op":"hello","user":"alice"}"#)
        #expect(await socket.event("welcome") != nil)
        #expect(await hub.disconnect(UserKey(tenant: .standard, user: .alice)) == 1)
        await served
        #expect(socket.closeCode == CloseCode.removed.rawValue)
    }

    @Test func sessionsAreClosedAtTheEnd() async throws {
        let hub = makeOpenHub()
        let client = try await hub.connect(Credentials(user: .alice))
        try await run(hub, closingOver: 50) {
            #expect(hub.isAccepting)
            #expect(client.closeCode == nil)
        }
        #expect(client.closeCode == .serviceRestart)
    }

    @Test func limitsThatContradictEachOtherMakeNoHub() {
        var limits = Limits()
        #expect(makeHub(limits) != nil)
        limits.queueBytesMax = 1
        #expect(makeHub(limits) == nil)
    }

    @Test func announcementIsStoredOnce() async {
        let hub = Hub()
        let first = await announce("The build is green.", in: .lobby, by: bot, id: .named("build-1"), on: hub)
        #expect(first?.offset == 1)
        #expect(await announce("The build is green.", in: .lobby, by: bot, id: .named("build-1"), on: hub) == first)
        #expect(await announce("", in: .lobby, by: bot, id: .named("build-2"), on: hub) == nil)
    }
}
