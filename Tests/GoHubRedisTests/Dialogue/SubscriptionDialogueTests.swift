import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// The connection for subscriptions, by what a server says.
struct SubscriptionDialogueTests {
    private static let names = ChannelNames()
    private static let server = RedisServer(role: .primary, runID: "run1", version: "7.0.15")
    private let lobby = ClusterTopic.room(.lobby)
    private let alice = ClusterTopic.user(UserKey(tenant: .standard, user: .alice))

    private func make(limits: RedisLimits = RedisLimits()) -> SubscriptionDialogue {
        SubscriptionDialogue(RedisIntroduction(name: "gohub-a"), names: Self.names, limits: limits, now: .ms(0))
    }

    private func open(limits: RedisLimits = RedisLimits()) -> SubscriptionDialogue {
        var dialogue = make(limits: limits)
        #expect(dialogue.hears(Reply.greeting) == [.connected(Self.server)])
        _ = dialogue.sent()
        return dialogue
    }

    private func confirm(_ topic: ClusterTopic, _ kind: String = "subscribe") -> String {
        Reply.confirmation(kind, String(decoding: Self.names.channel(of: topic), as: UTF8.self))
    }

    private func message(_ topic: ClusterTopic, _ payload: String) -> String {
        Reply.message(String(decoding: Self.names.channel(of: topic), as: UTF8.self), payload)
    }

    // MARK: Subscribing

    @Test func subscriptionsAreConfirmed() {
        var dialogue = open()
        dialogue.subscribe([.all, lobby], now: .ms(0))
        #expect(dialogue.commands() == ["SUBSCRIBE gohub.all gohub.r.default.lobby"])
        #expect(dialogue.hears(confirm(.all) + confirm(lobby)) == [.subscribed([.all, lobby])])
    }

    @Test func whatIsWantedBeforeTheGreetingEndsIsSubscribedAfterwards() {
        var dialogue = make()
        dialogue.subscribe([.all], now: .ms(0))
        #expect(dialogue.commands() == ["CLIENT SETNAME gohub-a", "ROLE", "INFO server"])
        #expect(dialogue.hears(Reply.greeting) == [.connected(Self.server)])
        #expect(dialogue.commands() == ["SUBSCRIBE gohub.all"])
    }

    @Test func knownSubscriptionIsAnsweredAtOnce() {
        var dialogue = open()
        dialogue.subscribe([lobby], now: .ms(0))
        dialogue.subscribe([lobby], now: .ms(0))
        #expect(dialogue.commands().count == 1)
        #expect(dialogue.hears(confirm(lobby)) == [.subscribed([lobby])])
        dialogue.subscribe([lobby], now: .ms(0))
        #expect(dialogue.commands() == [])
        #expect(dialogue.drain() == [.subscribed([lobby])])
    }

    @Test func onlyTheLastWishIsReported() {
        var dialogue = open()
        dialogue.subscribe([lobby], now: .ms(0))
        dialogue.unsubscribe([lobby], now: .ms(0))
        dialogue.subscribe([lobby], now: .ms(0))
        #expect(
            dialogue.commands() == [
                "SUBSCRIBE gohub.r.default.lobby", "UNSUBSCRIBE gohub.r.default.lobby",
                "SUBSCRIBE gohub.r.default.lobby",
            ])
        #expect(dialogue.hears(confirm(lobby) + confirm(lobby, "unsubscribe")) == [])
        #expect(dialogue.hears(confirm(lobby)) == [.subscribed([lobby])])
    }

    @Test func wishesThatCancelEachOtherCostNoCommand() {
        var limits = RedisLimits()
        limits.channelsInFlightMax = 1
        limits.channelsPerCommandMax = 1
        var dialogue = open(limits: limits)
        dialogue.subscribe([.all, lobby, alice], now: .ms(0))
        dialogue.unsubscribe([lobby], now: .ms(0))
        #expect(dialogue.commands() == ["SUBSCRIBE gohub.all"])
        #expect(dialogue.hears(confirm(.all)) == [.subscribed([.all])])
        #expect(dialogue.commands() == ["SUBSCRIBE gohub.u.default.alice"])
        // Nothing of the room is left.
        #expect(dialogue.hears(confirm(alice) + message(lobby, "x")) == [.subscribed([alice])])
    }

    @Test func manyChannelsAreSubscribedInBoundedSteps() {
        var limits = RedisLimits()
        limits.channelsPerCommandMax = 100
        limits.channelsInFlightMax = 400
        var dialogue = open(limits: limits)
        let topics = (0..<5000).map { ClusterTopic.room(.named("room-\($0)")) }
        dialogue.subscribe(topics, now: .ms(0))
        var reported: [ClusterTopic] = []
        var unanswered: [Substring] = []
        var rounds = 0
        while reported.count < topics.count, rounds < 1000 {
            rounds += 1
            for command in dialogue.commands() {
                let words = command.split(separator: " ")
                #expect(words[0] == "SUBSCRIBE" && words.count <= 101)
                unanswered += words.dropFirst()
            }
            #expect(unanswered.count <= 400)
            let answered = unanswered.prefix(150)
            unanswered.removeFirst(answered.count)
            for event in dialogue.hears(answered.map { Reply.confirmation("subscribe", String($0)) }.joined()) {
                guard case .subscribed(let topics) = event else {
                    Issue.record("another event: \(event)")
                    return
                }
                reported += topics
            }
        }
        #expect(reported == topics)
        // Not one command for each channel.
        #expect(rounds < 50)
    }

    @Test func tooManyChannelsEndTheConnection() {
        var limits = RedisLimits()
        limits.channelsMax = 2
        var dialogue = open(limits: limits)
        dialogue.subscribe([.all, lobby], now: .ms(0))
        dialogue.unsubscribe([lobby], now: .ms(0))
        _ = dialogue.hears(confirm(.all) + confirm(lobby) + confirm(lobby, "unsubscribe"))
        dialogue.subscribe([lobby], now: .ms(0))
        #expect(dialogue.drain() == [])
        dialogue.subscribe([alice], now: .ms(0))
        guard case .failed(let error) = dialogue.next() else {
            Issue.record("it goes on")
            return
        }
        #expect(error.code == .limit)
    }

    // MARK: Messages

    @Test func messagesAreLentWhereTheyCame() {
        var dialogue = open()
        dialogue.subscribe([lobby], now: .ms(0))
        var events: [SubscriptionDialogue.Event] = []
        var payloads: [String] = []
        let text = confirm(lobby) + message(lobby, "a") + message(alice, "no") + message(lobby, "")
        _ = dialogue.receive(now: .ms(0)) { memory in
            memory.copyBytes(from: text.utf8)
            return text.utf8.count
        }
        while let event = dialogue.next() {
            events.append(event)
            payloads.append(dialogue.withPayload { String(decoding: $0, as: UTF8.self) })
        }
        #expect(events == [.subscribed([lobby]), .message(lobby), .message(lobby)])
        #expect(payloads == ["", "a", ""])
    }

    @Test func messagesOfADroppedTopicAreIgnored() {
        var dialogue = open()
        dialogue.subscribe([lobby, .all], now: .ms(0))
        _ = dialogue.hears(confirm(lobby) + confirm(.all))
        dialogue.unsubscribe([lobby], now: .ms(0))
        #expect(dialogue.hears(message(lobby, "x") + message(.all, "y")) == [.message(.all)])
        #expect(dialogue.hears(confirm(lobby, "unsubscribe")) == [])
        #expect(dialogue.hears(message(lobby, "x")) == [])
    }

    // MARK: Failures

    @Test(arguments: [
        (
            "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n",
            RedisError.Code.permission
        ),
        ("*3\r\n$9\r\nsubscribe\r\n$9\r\ngohub.all\r\n:1\r\n", .protocolViolation),
        ("*3\r\n$11\r\nunsubscribe\r\n$21\r\ngohub.r.default.lobby\r\n:1\r\n", .protocolViolation),
        ("*3\r\n$7\r\nmessage\r\n:1\r\n:1\r\n", .protocolViolation),
        ("*3\r\n$1\r\nx\r\n$1\r\nx\r\n$1\r\nx\r\n", .protocolViolation),
        ("+PONG\r\n", .protocolViolation),
        (":1\r\n", .protocolViolation),
        ("*1\r\n:1\r\n", .protocolViolation),
    ])
    func otherRepliesEndTheConnection(_ reply: String, _ code: RedisError.Code) {
        var dialogue = open()
        dialogue.subscribe([lobby], now: .ms(0))
        guard case .failed(let error) = dialogue.hears(reply).first else {
            Issue.record("it goes on")
            return
        }
        #expect(error.code == code)
        #expect(dialogue.deadline == nil && dialogue.output.isEmpty)
        dialogue.subscribe([.all], now: .ms(0))
        #expect(dialogue.output.isEmpty && dialogue.drain() == [])
    }

    @Test func silentServerIsAskedAndGivenUp() {
        var dialogue = open()
        #expect(dialogue.deadline == .ms(5000))
        dialogue.timerFired(now: .ms(5000))
        #expect(dialogue.commands() == ["PING"])
        #expect(dialogue.deadline == .ms(8000))
        // Without subscriptions, and with.
        for (reply, time) in [("+PONG\r\n", UInt64(6000)), ("*2\r\n$4\r\npong\r\n$0\r\n\r\n", 12_000)] {
            #expect(dialogue.hears(reply, at: .ms(time)) == [])
            #expect(dialogue.deadline == .ms(time + 5000))
            dialogue.timerFired(now: .ms(time + 5000))
        }
        dialogue.timerFired(now: .ms(20_000))
        #expect(dialogue.drain() == [.failed(.late(.ping))])
    }

    @Test func missingConfirmationEndsTheConnection() {
        var dialogue = open()
        dialogue.subscribe([lobby], now: .ms(4000))
        dialogue.timerFired(now: .ms(6999))
        #expect(dialogue.drain() == [])
        dialogue.timerFired(now: .ms(7000))
        #expect(dialogue.drain() == [.failed(.late(.subscribe))])
    }

    // MARK: Any order

    /// A node wants and drops topics at random, and the server answers late. In the end the server has exactly what is
    /// wanted, and the node was told so.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func serverEndsWithWhatIsWanted(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var limits = RedisLimits()
        limits.channelsPerCommandMax = Int.random(in: 1...4, using: &random)
        limits.channelsInFlightMax = limits.channelsPerCommandMax + Int.random(in: 0...6, using: &random)
        var dialogue = open(limits: limits)
        let topics = (0..<8).map { ClusterTopic.room(.named("r\($0)")) }
        var server: Set<String> = []
        var replies: [[UInt8]] = []
        var wanted: Set<ClusterTopic> = []
        var told: Set<ClusterTopic> = []
        func perform() {
            for command in dialogue.commands() {
                let words = command.split(separator: " ").map { String($0) }
                for channel in words.dropFirst() {
                    if words[0] == "SUBSCRIBE" { server.insert(channel) } else { server.remove(channel) }
                    replies.append(Array(Reply.confirmation(words[0].lowercased(), channel, server.count).utf8))
                }
            }
        }
        func hear(_ parts: [[UInt8]]) {
            for event in parts.flatMap({ dialogue.hears($0) }) {
                guard case .subscribed(let topics) = event else {
                    Issue.record("\(event), seed \(seed)")
                    return
                }
                #expect(wanted.isSuperset(of: topics), "seed \(seed)")
                told.formUnion(topics)
            }
        }
        for _ in 0..<200 {
            let chosen = Array(topics.shuffled(using: &random).prefix(Int(random.next() % 3)))
            switch random.next() % 4 {
            case 0:
                dialogue.subscribe(chosen, now: .ms(0))
                wanted.formUnion(chosen)
                told.subtract(chosen)
            case 1:
                dialogue.unsubscribe(chosen, now: .ms(0))
                wanted.subtract(chosen)
                told.subtract(chosen)
            case 2: perform()
            default:
                let count = Int(random.next() % 4)
                hear(random.split(replies.prefix(count).flatMap(\.self), partBytesMax: 20))
                replies.removeFirst(min(count, replies.count))
            }
        }
        repeat {
            hear(replies)
            replies = []
            perform()
        } while !replies.isEmpty
        hear([[]])
        #expect(
            server == Set(wanted.map { String(decoding: Self.names.channel(of: $0), as: UTF8.self) }), "seed \(seed)")
        #expect(told == wanted, "seed \(seed)")
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func noServerMakesItTrap(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let replies = [
            confirm(lobby), confirm(.all), confirm(lobby, "unsubscribe"), message(lobby, "abc"), message(.all, ""),
            "+PONG\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n", "-ERR x\r\n", ":1\r\n", "*0\r\n",
            "*3\r\n:1\r\n*0\r\n$-1\r\n",
        ]
        for _ in 0..<60 {
            var stream = Array(Reply.greeting.utf8)
            for _ in 0..<6 { stream += (random.pick(replies) ?? "").utf8 }
            if random.once(in: 3) { stream[Int.random(in: stream.indices, using: &random)] ^= 1 << (random.next() % 8) }
            let parts = random.split(stream, partBytesMax: 9)
            /// Topics of `subscribed` are listed one by one: they are gathered as they arrive.
            func talk(_ parts: [[UInt8]]) -> [SubscriptionDialogue.Event] {
                var dialogue = make()
                dialogue.subscribe([lobby, .all], now: .ms(0))
                return parts.flatMap { dialogue.hears($0) }.flatMap { event in
                    guard case .subscribed(let topics) = event else { return [event] }
                    return topics.map { .subscribed([$0]) }
                }
            }
            #expect(talk([stream]) == talk(parts), "seed \(seed)")
        }
    }
}
