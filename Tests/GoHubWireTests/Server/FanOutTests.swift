import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// The fan-out of one loop, with connections over socket pairs that nothing else drives.
@Suite struct FanOutTests {
    private let owner: IdleOwner
    private let plain: Link
    private let compressed: Link

    init() throws {
        owner = try IdleOwner()
        plain = try Link(owner, serial: 1)
        compressed = try Link(owner, serial: 2)
        compressed.connection.usesDeflate = true
    }

    private func event(_ text: String) -> [UInt8] {
        EncodedEvent(.notice(id: nil, room: .lobby, text: text)).bytes
    }

    private func frame(_ text: String) -> [UInt8] {
        FrameEncoder.frame(event(text), opcode: .text)
    }

    @Test func eventsOfATurnAreSentAtOnce() throws {
        var fanOut = FanOut(owner.resources.directSends)
        fanOut.enter(plain.session, .lobby) { _ in }
        #expect(fanOut.isIdle)
        fanOut.deliver(event("one"), .lobby, deflater: nil) { _ in }
        fanOut.deliver(event("two"), .lobby, deflater: nil) { _ in }
        #expect(plain.received().isEmpty, "nothing goes out before the turn's end")
        #expect(!fanOut.isIdle)
        fanOut.flush { _ in Issue.record("overflow") }
        #expect(plain.received() == frame("one") + frame("two"))
        #expect(fanOut.isIdle)
        #expect(fanOut.takeDelivered().events == 2)
    }

    @Test func largeTurnIsSentEarly() {
        var fanOut = FanOut(owner.resources.directSends)
        fanOut.enter(plain.session, .lobby) { _ in }
        let text = String(repeating: "x", count: 40_000)
        fanOut.deliver(event(text), .lobby, deflater: nil) { _ in }
        #expect(plain.received().isEmpty)
        fanOut.deliver(event(text), .lobby, deflater: nil) { _ in }
        #expect(plain.received() == frame(text) + frame(text))
        fanOut.deliver(event("more"), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in }
        #expect(plain.received() == frame("more"))
    }

    @Test func answerFollowsEventsOfItsTurn() {
        var fanOut = FanOut(owner.resources.directSends)
        let garden = RoomID.named("garden")
        fanOut.enter(plain.session, .lobby) { _ in }
        fanOut.enter(plain.session, garden) { _ in }
        fanOut.deliver(event("before"), .lobby, deflater: nil) { _ in }
        fanOut.deliver(event("flowers"), garden, deflater: nil) { _ in }
        fanOut.flush(.lobby) { _ in }
        _ = plain.connection.offer(EncodedEvent(.notice(id: nil, room: .lobby, text: "the answer")))
        fanOut.deliver(event("after"), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in }
        plain.connection.flush()
        let shown = frame("before") + frame("the answer")
        #expect(plain.received().starts(with: shown))
        #expect(fanOut.takeDelivered().events == 3)
        #expect(fanOut.isIdle)
    }

    @Test func sessionEnteringMidTurnGetsOnlyLaterEvents() {
        var fanOut = FanOut(owner.resources.directSends)
        let late = compressed
        late.connection.usesDeflate = false
        fanOut.enter(plain.session, .lobby) { _ in }
        fanOut.deliver(event("before"), .lobby, deflater: nil) { _ in }
        fanOut.enter(late.session, .lobby) { _ in }
        fanOut.deliver(event("after"), .lobby, deflater: nil) { _ in }
        fanOut.exit(plain.session, .lobby) { _ in }
        fanOut.deliver(event("gone"), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in }
        #expect(plain.received() == frame("before") + frame("after"))
        #expect(late.received() == frame("after") + frame("gone"))
    }

    @Test func roomsAreSeparateAndEndWithLastSubscriber() {
        var fanOut = FanOut(owner.resources.directSends)
        let garden = RoomID.named("garden")
        fanOut.enter(plain.session, .lobby) { _ in }
        fanOut.enter(plain.session, garden) { _ in }
        #expect(fanOut.roomCount == 2)
        fanOut.deliver(event("unheard"), .named("cellar"), deflater: nil) { _ in }
        fanOut.deliver(event("flowers"), garden, deflater: nil) { _ in }
        fanOut.exit(plain.session, garden) { _ in }
        fanOut.exit(plain.session, garden) { _ in }
        fanOut.flush { _ in }
        #expect(plain.received() == frame("flowers"))
        #expect(fanOut.roomCount == 1)
        #expect(plain.session.subscriptions.count == 1)
    }

    @Test func leaveInAnyOrderKeepsOtherSubscribers() throws {
        var numbers = SeededRandom(seed: 3)
        var fanOut = FanOut(owner.resources.directSends)
        var links = try (0..<20).map { try Link(owner, serial: UInt64(10 + $0)) }
        for link in links { fanOut.enter(link.session, .lobby) { _ in } }
        while !links.isEmpty {
            let gone = links.remove(at: Int.random(in: 0..<links.count, using: &numbers))
            fanOut.exit(gone.session, .lobby) { _ in }
            fanOut.deliver(event("\(links.count)"), .lobby, deflater: nil) { _ in }
            fanOut.flush { _ in }
            #expect(gone.received().isEmpty)
            for link in links { #expect(link.received() == frame("\(links.count)")) }
        }
        #expect(fanOut.roomCount == 0)
    }

    @Test func compressedAndPlainSideBySide() throws {
        var fanOut = FanOut(owner.resources.directSends)
        let deflater = try Deflater(DeflateConfiguration())
        fanOut.enter(plain.session, .lobby) { _ in }
        fanOut.enter(compressed.session, .lobby) { _ in }
        let text = String(repeating: "again and again ", count: 30)
        fanOut.deliver(event(text), .lobby, deflater: deflater) { _ in }
        fanOut.flush { _ in }
        #expect(plain.received() == frame(text))
        let bytes = compressed.received()
        #expect(bytes.first == 0xC1)
        let inflater = try Inflater()
        let payload = ClientFrames.payload(ofServerFrame: bytes)
        let isSame = try payload.withUnsafeBytes {
            try inflater.inflate($0, bytesMax: 10_000, isText: true) { $0.elementsEqual(event(text)) }
        }
        #expect(isSame)
    }

    @Test func directSendIsAllowedWhileNothingIsQueued() throws {
        let directSends = owner.resources.directSends
        var fanOut = FanOut(directSends)
        fanOut.enter(plain.session, .lobby) { _ in }
        #expect(!directSends[plain.connection.descriptor], "nothing is known of it yet")
        plain.connection.flush()
        compressed.connection.flush()
        #expect(directSends[plain.connection.descriptor])
        #expect(!directSends[compressed.connection.descriptor])

        // Until its socket is full, which leaves part of a frame to be written before anything else.
        let text = String(repeating: "x", count: 50_000)
        var turns = 0
        while directSends[plain.connection.descriptor], turns < 100 {
            turns += 1
            fanOut.deliver(event(text), .lobby, deflater: nil) { _ in }
            fanOut.flush { _ in Issue.record("dropped") }
        }
        #expect(plain.connection.outgoing.waitingBytes > 0)
        fanOut.deliver(event("behind it"), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in Issue.record("dropped") }
        var bytes: [UInt8] = []
        while case let more = plain.received(), !more.isEmpty {
            bytes += more
            plain.connection.flush()
        }
        #expect(bytes == (0..<turns).flatMap { _ in frame(text) } + frame("behind it"))
        #expect(directSends[plain.connection.descriptor])

        // Events for the client alone go before later ones.
        _ = plain.connection.offer(EncodedEvent(.notice(id: nil, room: .lobby, text: "a reply")))
        #expect(!directSends[plain.connection.descriptor])
        fanOut.deliver(event("later"), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in }
        plain.connection.flush()
        #expect(plain.received() == frame("a reply") + frame("later"))
        #expect(directSends[plain.connection.descriptor])
        plain.connection.close(.goingAway)
        #expect(!directSends[plain.connection.descriptor])
        fanOut.deliver(event("too late"), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in }
        plain.connection.flush()
        #expect(plain.received() == FrameEncoder.closeFrame(.goingAway))
        #expect(!directSends[plain.connection.descriptor])
    }

    @Test func onlyStalledClientOverflows() {
        var fanOut = FanOut(owner.resources.directSends)
        let slow = compressed
        slow.connection.usesDeflate = false
        fanOut.enter(plain.session, .lobby) { _ in }
        fanOut.enter(slow.session, .lobby) { _ in }
        let text = String(repeating: "x", count: 60_000)
        var dropped: [UInt64] = []
        var turns = 0
        while dropped.isEmpty, turns < 100 {
            turns += 1
            fanOut.deliver(event(text), .lobby, deflater: nil) { _ in }
            fanOut.flush { dropped.append($0.serial) }
            #expect(plain.received() == frame(text))
            #expect(slow.connection.outgoing.queue.byteCount <= owner.settings.queueBytesMax)
        }
        #expect(dropped == [slow.connection.serial])

        // After the decision to close, it gets the rest of the frame that was started, and the close frame.
        slow.connection.close(.slowConsumer)
        var bytes: [UInt8] = []
        while case let more = slow.received(), !more.isEmpty {
            bytes += more
            slow.connection.flush()
        }
        let close = FrameEncoder.closeFrame(.slowConsumer)
        #expect(bytes.suffix(close.count).elementsEqual(close))
        let frames = bytes.dropLast(close.count)
        #expect(frames.count % frame(text).count == 0)
        #expect(frames.count / frame(text).count < turns)
    }

    /// A session requests the next page only after it has learnt that the client takes the previous one.
    @Test func replyReportsTheBacklogThatItCauses() {
        let connection = plain.connection
        let watermark = owner.settings.queueWatermarkBytes
        // More than the socket and the watermark take, less than the queue.
        let text = String(repeating: "x", count: owner.settings.queueBytesMax * 3 / 4)
        let result = connection.offer(EncodedEvent(.notice(id: nil, room: .lobby, text: text)))
        #expect(connection.outgoing.blockedBytes > watermark)
        #expect(result == .acceptedAboveWatermark)
        #expect(owner.backlogs == [true], "reported within the turn, before the flush")
        var bytes: [UInt8] = []
        while case let more = plain.received(), !more.isEmpty {
            bytes += more
            connection.flush()
        }
        #expect(bytes == frame(text))
        #expect(owner.backlogs == [true, false])
    }

    // MARK: All queues together

    private let ledgerText = String(repeating: "x", count: 60_000)

    /// Delivers to the lobby until a client is dropped, at most this many times.
    private func fill(_ fanOut: inout FanOut, turns: Int) -> [UInt64] {
        var dropped: [UInt64] = []
        for _ in 0..<turns where dropped.isEmpty {
            fanOut.deliver(event(ledgerText), .lobby, deflater: nil) { _ in }
            fanOut.flush { dropped.append($0.serial) }
        }
        return dropped
    }

    @Test func sharedFramesCountOnce() throws {
        var fanOut = FanOut(owner.resources.directSends)
        var links = try (0..<20).map { try Link(owner, serial: UInt64(10 + $0)) }
        for link in links { fanOut.enter(link.session, .lobby) { _ in } }
        #expect(fill(&fanOut, turns: 12).isEmpty)
        let waiting = links.map { $0.connection.outgoing.blockedBytes }
        #expect(waiting.allSatisfy { $0 > 0 })
        #expect(owner.resources.queued.bytes <= 12 * frame(ledgerText).count)
        #expect(owner.resources.queued.bytes >= waiting.max() ?? 0)
        for link in links { fanOut.exit(link.session, .lobby) { _ in } }
        links = []
        #expect(owner.resources.queued.bytes == 0)
    }

    @Test func smallFramesDoNotKeepLargeBuffers() throws {
        var fanOut = FanOut(owner.resources.directSends)
        fanOut.enter(plain.session, .lobby) { _ in }
        // A buffer that has grown, and is reused.
        fanOut.deliver(event(String(repeating: "x", count: 10_000)), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in }
        _ = fill(&fanOut, turns: 40)
        let before = owner.resources.queued.bytes
        fanOut.deliver(event("small"), .lobby, deflater: nil) { _ in }
        fanOut.flush { _ in }
        #expect(before > 0)
        #expect(owner.resources.queued.bytes == before + frame("small").count)
        let queued = QueuedFrames(copying: [1, 2, 3], owner.resources.queued)
        #expect(queued.bytes.capacity < 64)
    }

    @Test func longestQueueIsDroppedFirst() throws {
        owner.resources.queued.bytesMax = 1_000_000
        var fanOut = FanOut(owner.resources.directSends)
        let garden = RoomID.named("garden")
        let patient = try Link(owner, serial: 3)
        fanOut.enter(plain.session, .lobby) { _ in }
        fanOut.enter(patient.session, garden) { _ in }
        // One client may hold at most half of the memory, so it is dropped well before its own limit.
        #expect(fill(&fanOut, turns: 10).isEmpty)
        fanOut.deliver(event(ledgerText), garden, deflater: nil) { _ in }
        var dropped = fill(&fanOut, turns: 20)
        #expect(dropped == [plain.connection.serial])
        #expect(plain.connection.outgoing.blockedBytes < 600_000)
        plain.connection.close(.slowConsumer)
        fanOut.exit(plain.session, .lobby) { _ in }
        #expect(owner.resources.queued.bytes < 300_000, "what it held is free again")

        // Now the other client has the space.
        for _ in 0..<6 {
            fanOut.deliver(event(ledgerText), garden, deflater: nil) { _ in }
            fanOut.flush { dropped.append($0.serial) }
        }
        #expect(dropped.count == 1)
        #expect(patient.connection.outgoing.blockedBytes > 0)
    }

    @Test func partialWriteOverflowsWithoutFreeMemory() throws {
        owner.resources.queued.bytesMax = 10_000
        var fanOut = FanOut(owner.resources.directSends)
        fanOut.enter(plain.session, .lobby) { _ in }
        #expect(fill(&fanOut, turns: 100) == [plain.connection.serial])

        // Replies alone.
        compressed.connection.usesDeflate = false
        let reply = EncodedEvent(.notice(id: nil, room: .lobby, text: ledgerText))
        for _ in 0..<100 where owner.overflowed.isEmpty {
            #expect(compressed.connection.offer(reply) != .overflow)
            compressed.connection.flush()
        }
        #expect(owner.overflowed == [compressed.connection.serial])
        compressed.connection.close(.slowConsumer)

        // A client that reads is never dropped, however little memory is free.
        owner.resources.queued.bytesMax = 0
        let reader = try Link(owner, serial: 4)
        #expect(reader.connection.offer(reply) == .accepted)
        reader.connection.flush()
        #expect(reader.received() == frame(ledgerText))
        #expect(owner.overflowed.count == 1)
    }
}

/// One connection and its peer's socket.
private final class Link {
    let connection: Connection
    let session: WireSession
    /// Held here, because the connection doesn't hold it.
    private let owner: IdleOwner
    private let peer: Int32

    struct Failure: Error {}

    init(_ owner: IdleOwner, serial: UInt64) throws {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Failure() }
        peer = ends[1]
        self.owner = owner
        connection = Connection(
            serial: serial, descriptor: ends[0], peer: SocketAddress(ip: [127, 0, 0, 1], port: 1), owner: owner,
            tls: nil)
        try connection.start()
        let machine = SessionStateMachine(
            id: SessionID(edge: EdgeID(0), serial: serial), context: SessionContext(limiter: .unlimited),
            address: "127.0.0.1", now: .now(), at: .now())
        session = WireSession(machine, connection)
        connection.phase = .open(session)
    }

    deinit {
        connection.abort(nil)
        close(peer)
    }

    /// The bytes that have reached the peer.
    func received() -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = recv(peer, &chunk, chunk.count, 0), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}

/// An owner that does nothing.
private final class IdleOwner: ConnectionOwner, ConnectionServices {
    let loop: EventLoop
    let settings: ConnectionSettings
    let resources = ConnectionResources()
    private(set) var overflowed: [UInt64] = []
    /// The reported changes of any connection.
    private(set) var backlogs: [Bool] = []

    init() throws {
        loop = try EventLoop(poller: EpollPoller())
        let address = ListenAddress(SocketAddress(ip: [127, 0, 0, 1], port: 0))
        settings = ConnectionSettings(
            ServerConfiguration(listen: address).connections, limits: Limits(), requiresToken: false)
    }

    func opened(_ connection: Connection, credentials: Credentials?) -> ConnectionCompanion { ConnectionCompanion() }
    func received(_ connection: Connection, _ companion: ConnectionCompanion, text: UnsafeRawBufferPointer) {}
    func received(_ connection: Connection, _ companion: ConnectionCompanion, binary: UnsafeRawBufferPointer) {}
    func noteActivity(_ companion: ConnectionCompanion) {}
    func backlogChanged(_ companion: ConnectionCompanion, isBacklogged: Bool) { backlogs.append(isBacklogged) }
    func ended(_ companion: ConnectionCompanion) {}
    func closed(_ connection: Connection) {}
    func overflowed(_ connection: Connection) { overflowed.append(connection.serial) }
    func needsFlush(_ connection: Connection) {}
    func verify(_ token: String, for connection: Connection) {}
    func schedule(_ connection: Connection, at deadline: MonotonicTime) {}
    func note(_ connection: Connection, _ message: @autoclosure () -> String) {}
}

extension FanOut {
    fileprivate mutating func deliver(
        _ event: [UInt8], _ id: RoomID, deflater: Deflater?, _ report: (Connection) -> Void
    ) {
        event.withUnsafeBytes { deliver($0, id, deflater: deflater, report) }
    }
}
