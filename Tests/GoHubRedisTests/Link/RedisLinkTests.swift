import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// The rules of a link, one by one.
struct RedisLinkTests {
    private static let names = ChannelNames()
    private let server = RedisServer(role: .primary, runID: "run1", version: "7.0.15")
    private let lobby = ClusterTopic.room(.lobby)
    private var link: RedisLink

    init() throws { link = try Self.make() }

    private static func make(
        _ location: String = "redis://one", limits: RedisLimits = RedisLimits(), frames: FrameLimits = FrameLimits()
    ) throws -> RedisLink {
        RedisLink(
            own: .a, name: "gohub", location: try RedisLocation(location), names: names,
            codec: FrameCodec(names: names, limits: frames), limits: limits, now: .ms(0), random: { 0 })
    }

    private func drain(_ link: inout RedisLink, at now: MonotonicTime = .ms(0)) -> [RedisLink.Action] {
        var actions: [RedisLink.Action] = []
        while let action = link.next(now: now) { actions.append(action) }
        return actions
    }

    private func hear(
        _ connection: RedisLink.Connection, _ text: String, _ link: inout RedisLink, at now: MonotonicTime = .ms(0)
    ) -> [RedisLink.Action] { hear(connection, Array(text.utf8), &link, at: now) }

    private func hear(
        _ connection: RedisLink.Connection, _ bytes: [UInt8], _ link: inout RedisLink, at now: MonotonicTime = .ms(0)
    ) -> [RedisLink.Action] {
        _ = link.receive(connection, now: now) { memory in
            memory.copyBytes(from: bytes)
            return bytes.count
        }
        return drain(&link, at: now)
    }

    private func sent(_ connection: RedisLink.Connection, _ link: inout RedisLink) -> [UInt8] {
        var sent: [UInt8] = []
        link.send(connection) { bytes in
            sent = Array(bytes)
            return bytes.count
        }
        return sent
    }

    /// Dials both connections, and greets.
    private func connect(_ link: inout RedisLink, at now: MonotonicTime = .ms(0)) {
        link.timerFired(now: now)
        #expect(
            drain(&link, at: now) == [.dial(.commands, .of("one")), .dial(.subscriptions, .of("one"))])
        link.dialled(.commands, now: now)
        link.dialled(.subscriptions, now: now)
        #expect(hear(.commands, Reply.greeting, &link, at: now) == [])
        #expect(
            hear(.subscriptions, Reply.greeting, &link, at: now)
                == [.note(.connected(.of("one"), server)), .report(.restored)])
        _ = sent(.commands, &link)
        _ = sent(.subscriptions, &link)
    }

    private func message(_ topic: ClusterTopic, _ message: ClusterMessage, from node: NodeIncarnation) throws -> [UInt8]
    {
        var codec = FrameCodec(names: Self.names)
        let channel = Self.names.channel(of: topic)
        let frame = try codec.encode(
            ClusterFrame(from: node, time: HybridTime(value: 5), topic: topic, message), for: channel)
        return Array("*3\r\n$7\r\nmessage\r\n$\(channel.count)\r\n".utf8) + channel
            + Array("\r\n$\(frame.count)\r\n".utf8)
            + frame + [13, 10]
    }

    private func confirm(_ topic: ClusterTopic) -> String {
        Reply.confirmation("subscribe", String(decoding: Self.names.channel(of: topic), as: UTF8.self))
    }

    private func lost(_ actions: [RedisLink.Action]) -> RedisError.Code? {
        for case .note(.lost(let error)) in actions { return error.code }
        return nil
    }

    // MARK: Up and down

    @Test mutating func requestsWithoutALinkAreIgnored() {
        link.subscribe([.all], now: .ms(0))
        link.publish(.bye, to: .all, number: 1, at: HybridTime(value: 1), now: .ms(0))
        connect(&link)
        #expect(sent(.subscriptions, &link).isEmpty && sent(.commands, &link).isEmpty)
    }

    @Test mutating func oneConnectionTakesTheOtherWithIt() {
        connect(&link)
        link.closed(.subscriptions, .ended, now: .ms(100))
        #expect(
            drain(&link, at: .ms(100))
                == [.close(.commands), .close(.subscriptions), .note(.lost(.ended)), .report(.lost)])
        #expect(!link.isUp)
        #expect(link.deadline == .ms(150))
        #expect(link.hasOutput(.commands) == false)
    }

    @Test mutating func connectionsMustLeadToOneServer() {
        link.timerFired(now: .ms(0))
        _ = drain(&link)
        link.dialled(.commands, now: .ms(0))
        link.dialled(.subscriptions, now: .ms(0))
        _ = hear(.commands, Reply.greeting, &link)
        let actions = hear(.subscriptions, "+OK\r\n" + Reply.primary + Reply.info("run2"), &link)
        #expect(lost(actions) == .notPrimary)
        #expect(!actions.contains(.report(.lost)))
    }

    @Test mutating func refusalIsToldInsteadOfTheEndThatFollows() {
        link.timerFired(now: .ms(0))
        _ = drain(&link)
        link.dialled(.commands, now: .ms(0))
        _ = link.receive(.commands, now: .ms(0)) { memory in
            let bytes = Array("-ERR max number of clients reached\r\n".utf8)
            memory.copyBytes(from: bytes)
            return bytes.count
        }
        #expect(lost(drain(&link)) == .full)
        link.closed(.commands, .ended, now: .ms(0))
        #expect(drain(&link) == [])
    }

    @Test mutating func serverThatCannotBeReachedIsLeftInTime() {
        link.timerFired(now: .ms(0))
        _ = drain(&link)
        #expect(link.deadline == .ms(5000))
        link.timerFired(now: .ms(5000))
        #expect(lost(drain(&link)) == .timeout)
    }

    // MARK: Messages

    @Test mutating func othersAreHeardAndTheOwnMessagesAreNot() throws {
        connect(&link)
        link.subscribe([.all, lobby], now: .ms(0))
        #expect(
            hear(.subscriptions, confirm(.all) + confirm(lobby), &link) == [.report(.subscribed([.all, lobby]))])
        let actions = try hear(
            .subscriptions, message(lobby, .presenceIs(1), from: .b) + message(lobby, .presenceIs(2), from: .a), &link)
        let frame = ClusterFrame(from: .b, time: HybridTime(value: 5), topic: lobby, .presenceIs(1))
        #expect(actions == [.report(.heard(frame))])
        // Of another kind than the topic's, and no frame at all.
        #expect(
            try hear(.subscriptions, message(.all, .presenceIs(1), from: .b), &link) == [.note(.ignored(.misplaced))])
        #expect(
            hear(.subscriptions, Reply.message("gohub.all", "hello"), &link) == [.note(.ignored(.unknownFormat(104)))])
    }

    @Test mutating func receiversAreTheOthers() {
        connect(&link)
        link.subscribe([lobby], now: .ms(0))
        link.publish(.presenceIs(1), to: lobby, number: 1, at: HybridTime(value: 1), now: .ms(0))
        #expect(hear(.subscriptions, confirm(lobby), &link) == [.report(.subscribed([lobby]))])
        link.publish(.presenceIs(1), to: lobby, number: 2, at: HybridTime(value: 2), now: .ms(0))
        link.publish(.bye, to: .all, number: 3, at: HybridTime(value: 3), now: .ms(0))
        #expect(
            hear(.commands, ":2\r\n:3\r\n:2\r\n", &link)
                == (1...3).map { .report(.published(number: $0, receivers: 2)) })
    }

    @Test mutating func ownMessageToAllMustComeBack() throws {
        connect(&link)
        link.subscribe([.all], now: .ms(0))
        _ = hear(.subscriptions, confirm(.all), &link)
        link.publish(.bye, to: .all, number: 1, at: HybridTime(value: 1), now: .ms(1000))
        _ = hear(.commands, ":1\r\n", &link, at: .ms(1000))
        _ = try hear(.subscriptions, message(.all, .bye, from: .a), &link, at: .ms(1001))
        link.publish(.bye, to: .all, number: 2, at: HybridTime(value: 2), now: .ms(2000))
        _ = hear(.commands, ":1\r\n", &link, at: .ms(2000))
        // What others say proves nothing.
        _ = try hear(.subscriptions, message(.all, .bye, from: .b), &link, at: .ms(4900))
        link.timerFired(now: .ms(4999))
        #expect(drain(&link, at: .ms(4999)) == [])
        link.timerFired(now: .ms(5000))
        #expect(lost(drain(&link, at: .ms(5000))) == .timeout)
    }

    // MARK: Bounds

    @Test func messagesWaitInOrderForThoseInFlight() throws {
        var limits = RedisLimits()
        limits.publishesInFlightMax = 2
        var link = try Self.make(limits: limits)
        connect(&link)
        for number in 1...5 as ClosedRange<UInt64> {
            link.publish(.presenceIs(number), to: lobby, number: number, at: HybridTime(value: number), now: .ms(0))
        }
        var answered: [RedisLink.Action] = []
        var versions: [UInt8] = []
        for _ in 0..<5 {
            // The last byte of each message, before the line's end.
            versions += sent(.commands, &link).split(separator: 13).compactMap(\.last).filter { (1...5).contains($0) }
            answered += hear(.commands, ":0\r\n", &link)
        }
        #expect(versions == [1, 2, 3, 4, 5])
        #expect(answered == (1...5).map { .report(.published(number: $0, receivers: 0)) })
        #expect(link.backlogBytes == 0)
    }

    /// A short message would fit, but a longer one waits before it.
    @Test func shortMessagesDoNotOvertakeLongOnes() throws {
        var limits = RedisLimits()
        limits.publishBytesInFlightMax = 300
        var link = try Self.make(limits: limits)
        connect(&link)
        let long = Member(user: .bob, name: String(repeating: "b", count: 250))
        link.publish(.presenceIs(1), to: lobby, number: 1, at: HybridTime(value: 1), now: .ms(0))
        link.publish(
            .moderated(Sanction(.kick, user: .alice, by: long)), to: lobby, number: 2, at: HybridTime(value: 2),
            now: .ms(0))
        link.publish(.presenceIs(3), to: lobby, number: 3, at: HybridTime(value: 3), now: .ms(0))
        _ = sent(.commands, &link)
        let answered = (1...3).flatMap { _ in hear(.commands, ":0\r\n", &link) }
        #expect(answered == (1...3).map { .report(.published(number: $0, receivers: 0)) })
    }

    @Test func linkIsGivenUpWhenTooMuchWaits() throws {
        var limits = RedisLimits()
        limits.publishesInFlightMax = 1
        limits.backlogBytesMax = 1000
        var link = try Self.make(limits: limits)
        connect(&link)
        for number in 1...18 as ClosedRange<UInt64> {
            link.publish(.presenceIs(number), to: lobby, number: number, at: HybridTime(value: number), now: .ms(0))
        }
        #expect(drain(&link) == [])
        for number in 19...100 as ClosedRange<UInt64> {
            link.publish(.presenceIs(number), to: lobby, number: number, at: HybridTime(value: number), now: .ms(0))
        }
        #expect(lost(drain(&link)) == .limit)
        #expect(link.backlogBytes == 0)
    }

    @Test func entriesThatExceedAFrameBecomeTheirHead() throws {
        var frames = FrameLimits()
        frames.frameBytesMax = 100
        var link = try Self.make(frames: frames)
        connect(&link)
        let message = StoredMessage(
            offset: 9, id: .named("c"), from: Member(user: .alice), at: .ms(0), text: String(repeating: "a", count: 100)
        )
        link.publish(
            .entries(RoomEntries(Epoch("e"), [message])), to: lobby, number: 1, at: HybridTime(value: 1), now: .ms(0))
        var codec = FrameCodec(names: Self.names)
        let head = try codec.encode(
            ClusterFrame(
                from: .a, time: HybridTime(value: 1), topic: lobby, .head(Position(epoch: Epoch("e"), offset: 9))),
            for: Self.names.channel(of: lobby))
        #expect(sent(.commands, &link).dropLast(2).suffix(head.count) == head[...])
        // Another message of that length is given up.
        link.publish(
            .moderated(Sanction(.kick, user: .alice, by: Member(user: .bob, name: String(repeating: "b", count: 100)))),
            to: lobby, number: 2,
            at: HybridTime(value: 2), now: .ms(0))
        #expect(drain(&link) == [.note(.tooLong), .report(.published(number: 2, receivers: nil))])
    }

    // MARK: Sentinels

    @Test func lostNewsAreReplacedByQuestions() throws {
        var link = try Self.make("redis+sentinel://s/main")
        link.timerFired(now: .ms(0))
        #expect(drain(&link) == [.dial(.sentinel, .of("s", 26379))])
        link.dialled(.sentinel, now: .ms(0))
        let answer = "*2\r\n$3\r\none\r\n$4\r\n6379\r\n"
        #expect(
            hear(.sentinel, answer, &link) == [.dial(.commands, .of("one")), .dial(.subscriptions, .of("one"))])
        link.dialled(.commands, now: .ms(0))
        link.dialled(.subscriptions, now: .ms(0))
        _ = hear(.commands, Reply.greeting, &link)
        _ = hear(.subscriptions, Reply.greeting, &link)
        #expect(link.isUp)
        _ = (sent(.commands, &link), sent(.subscriptions, &link))
        link.closed(.sentinel, .ended, now: .ms(1000))
        #expect(drain(&link, at: .ms(1000)) == [.close(.sentinel)])
        // The connections answer meanwhile.
        for time in [3000, 6000, 9000] as [UInt64] {
            link.timerFired(now: .ms(time))
            let role = String(decoding: sent(.commands, &link), as: UTF8.self).contains("ROLE") ? Reply.primary : ""
            _ = hear(.commands, role, &link, at: .ms(time))
            let ping = String(decoding: sent(.subscriptions, &link), as: UTF8.self).contains("PING") ? "+PONG\r\n" : ""
            _ = hear(.subscriptions, ping, &link, at: .ms(time))
        }
        link.timerFired(now: .ms(11_000))
        #expect(drain(&link, at: .ms(11_000)) == [.dial(.sentinel, .of("s", 26379))])
        link.dialled(.sentinel, now: .ms(11_000))
        #expect(hear(.sentinel, answer, &link, at: .ms(11_000)) == [])
        #expect(link.isUp)
    }

    @Test func sentinelThatCannotBeReachedIsPassedOver() throws {
        var link = try Self.make("redis+sentinel://s,t/main")
        link.timerFired(now: .ms(0))
        _ = drain(&link)
        #expect(link.deadline == .ms(1000))
        link.timerFired(now: .ms(1000))
        guard case .note(.sentinelFailed(let address, let error)) = drain(&link, at: .ms(1000)).dropFirst().first else {
            Issue.record("nothing is noted")
            return
        }
        #expect(address == .of("s", 26379) && error.code == .timeout)
    }
}
