import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// The connection for commands, by what a server says.
struct CommandDialogueTests {
    private static let server = RedisServer(role: .primary, runID: "run1", version: "7.0.15")

    private func make(
        _ credentials: RedisCredentials? = nil, acceptsUnknownRole: Bool = true, limits: RedisLimits = RedisLimits()
    ) -> CommandDialogue {
        let introduction = RedisIntroduction(
            credentials: credentials, name: "gohub-a", acceptsUnknownRole: acceptsUnknownRole)
        return CommandDialogue(introduction, limits: limits, now: .ms(0))
    }

    private func open(limits: RedisLimits = RedisLimits()) -> CommandDialogue {
        var dialogue = make(limits: limits)
        #expect(dialogue.hears(Reply.greeting) == [.connected(Self.server)])
        _ = dialogue.sent()
        return dialogue
    }

    private func publish(
        _ number: UInt64, _ text: String = "x", on dialogue: inout CommandDialogue, at now: MonotonicTime = .ms(0)
    ) -> CommandDialogue.Offer {
        Array(text.utf8).withUnsafeBytes { dialogue.publish(number, to: Array("c".utf8), $0, now: now) }
    }

    private func failure(_ events: [CommandDialogue.Event]) -> RedisError.Code? {
        guard case .failed(let error) = events.last else { return nil }
        return error.code
    }

    // MARK: Greeting

    @Test func greetingIsSentAtOnce() {
        var dialogue = make()
        #expect(dialogue.commands() == ["CLIENT SETNAME gohub-a", "ROLE", "INFO server"])
        dialogue = make(RedisCredentials(user: nil, password: "p1"))
        #expect(dialogue.commands().first == "AUTH p1")
        dialogue = make(RedisCredentials(user: "hub", password: "p1"))
        #expect(dialogue.commands() == ["AUTH hub p1", "CLIENT SETNAME gohub-a", "ROLE", "INFO server"])
        #expect(dialogue.hears("+OK\r\n") == [])
        #expect(publish(1, on: &dialogue) == .closed)
        #expect(dialogue.hears(Reply.greeting) == [.connected(Self.server)])
        #expect(publish(1, on: &dialogue) == .accepted)
    }

    @Test func nameIsNotNeeded() {
        for reply in ["-NOPERM no\r\n", "-ERR unknown command 'CLIENT'\r\n"] {
            var dialogue = make()
            #expect(dialogue.hears(reply + Reply.primary + Reply.info("run1")) == [.connected(Self.server)])
        }
    }

    @Test func serversWithoutRoleOrInfoAreAcceptedUnlessSentinelsNamedThem() {
        let replies = "+OK\r\n-ERR unknown command 'ROLE'\r\n-ERR unknown command 'INFO'\r\n"
        var dialogue = make()
        #expect(dialogue.hears(replies) == [.connected(RedisServer(role: .unknown))])
        dialogue = make(acceptsUnknownRole: false)
        #expect(failure(dialogue.hears(replies)) == .refused)
    }

    @Test(arguments: [
        ("+OK\r\n" + Reply.replica, RedisError.Code.notPrimary),
        ("+OK\r\n" + Reply.sentinel, .notPrimary),
        ("-NOAUTH Authentication required.\r\n", .authentication),
        ("-LOADING Redis is loading the dataset in memory\r\n", .loading),
        ("-DENIED Redis is running in protected mode because …\r\n", .permission),
        ("-ERR max number of clients reached\r\n", .full),
        ("+OK\r\n-NOPERM this user has no permissions to run the 'role' command\r\n", .permission),
        ("+OK\r\n" + Reply.primary + "-NOPERM this user has no permissions to run the 'info' command\r\n", .permission),
        ("+OK\r\n:1\r\n", .protocolViolation),
        ("+OK\r\n*1\r\n$4\r\nking\r\n", .protocolViolation),
        (":1\r\n", .protocolViolation),
        ("HTTP/1.1 400 Bad Request\r\n", .protocolViolation),
    ])
    func greetingFails(_ replies: String, _ code: RedisError.Code) {
        var dialogue = make()
        #expect(failure(dialogue.hears(replies)) == code)
        #expect(dialogue.deadline == nil && dialogue.output.isEmpty)
        #expect(dialogue.hears(Reply.greeting) == [])
    }

    @Test(arguments: [
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure?\r\n",
        "-ERR invalid password\r\n",
        "-ERR wrong number of arguments for 'auth' command\r\n",
        "-ERR unknown command 'AUTH', with args beginning with: 'hub' 'hunter2'\r\n",
        "-hunter2\r\n",
    ])
    func refusedPasswordIsNeverShown(_ reply: String) {
        var dialogue = make(RedisCredentials(user: "hub", password: "hunter2"))
        var text = ""
        dump(dialogue, to: &text)
        debugPrint(dialogue, to: &text)
        let events = dialogue.hears(reply + "-NOAUTH Authentication required.\r\n")
        #expect(failure(events) == .authentication)
        #expect(events.count == 1)
        dump(events, to: &text)
        dump(dialogue, to: &text)
        #expect(!text.contains("hunter2"))
    }

    @Test func silentServerIsGivenUp() {
        var dialogue = make()
        #expect(dialogue.deadline == .ms(3000))
        #expect(dialogue.hears("+OK\r\n", at: .ms(2000)) == [])
        #expect(dialogue.deadline == .ms(5000))
        dialogue.timerFired(now: .ms(4999))
        #expect(dialogue.next() == nil)
        dialogue.timerFired(now: .ms(5000))
        #expect(dialogue.next() == .failed(.late(.role)))
        #expect(dialogue.next() == nil)
    }

    // MARK: Publishing

    @Test func messagesArePublishedWithoutWaiting() {
        var dialogue = open()
        #expect(publish(7, "a", on: &dialogue) == .accepted)
        #expect(publish(8, "b\r\nc", on: &dialogue) == .accepted)
        #expect(
            dialogue.sent()
                == "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\na\r\n*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$4\r\nb\r\nc\r\n")
        #expect(
            dialogue.hears(":2\r\n:0\r\n")
                == [.published(number: 7, receivers: 2), .published(number: 8, receivers: 0)])
    }

    @Test func messagesInFlightAreBounded() {
        var limits = RedisLimits()
        limits.publishesInFlightMax = 2
        var dialogue = open(limits: limits)
        #expect(publish(1, on: &dialogue) == .accepted)
        #expect(publish(2, on: &dialogue) == .accepted)
        #expect(publish(3, on: &dialogue) == .full)
        #expect(dialogue.hears(":1\r\n") == [.published(number: 1, receivers: 1)])
        #expect(publish(3, on: &dialogue) == .accepted)
    }

    @Test func bytesInFlightAreBounded() {
        var limits = RedisLimits()
        limits.publishBytesInFlightMax = 100
        var dialogue = open(limits: limits)
        // A single message may be longer.
        #expect(publish(1, String(repeating: "x", count: 200), on: &dialogue) == .accepted)
        #expect(publish(2, on: &dialogue) == .full)
        _ = dialogue.hears(":1\r\n")
        #expect(publish(2, String(repeating: "x", count: 98), on: &dialogue) == .accepted)
        #expect(publish(3, "", on: &dialogue) == .accepted)
        #expect(publish(4, "", on: &dialogue) == .full)
    }

    @Test(arguments: [
        (
            "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n",
            RedisError.Code.permission
        ),
        ("-READONLY You can't write against a read only replica.\r\n", .notPrimary),
        ("-MASTERDOWN Link with MASTER is down\r\n", .notPrimary),
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", .full),
        ("-MOVED 3999 127.0.0.1:6381\r\n", .cluster),
        ("-CLUSTERDOWN The cluster is down\r\n", .cluster),
        ("-BUSY Redis is busy running a script.\r\n", .busy),
        ("-MISCONF Redis is configured to save RDB snapshots\r\n", .refused),
        ("-ERR something new\r\n", .refused),
        ("-\r\n", .refused),
        ("+OK\r\n", .protocolViolation),
        ("$-1\r\n", .protocolViolation),
        ("!\r\n", .protocolViolation),
    ])
    func errorsEndTheConnection(_ reply: String, _ code: RedisError.Code) {
        var dialogue = open()
        _ = publish(1, on: &dialogue)
        _ = publish(2, on: &dialogue)
        #expect(failure(dialogue.hears(reply + ":1\r\n")) == code)
        #expect(publish(3, on: &dialogue) == .closed)
    }

    @Test func errorsTellWhatToDo() {
        let texts = [
            ("NOPERM this user has no permissions to access one of the channels used as arguments", "&PREFIX.*"),
            ("NOPERM this user has no permissions to run the 'publish' command", "+publish"),
            ("NOAUTH Authentication required.", "cluster.redisFile"),
            ("ERR some\u{1B}[31m\nthing", "some?[31m?thing"),
            ("ERR unknown command 'PUBLISH', with args beginning with: 'gohub.all' 'private text'", "renamed"),
        ]
        for (reply, part) in texts {
            let error = RedisError(reply: Array(reply.utf8), to: .publish)
            #expect(error.message.contains(part), "\(error.message)")
            #expect(error.message.hasPrefix("Redis: ") && !error.message.contains("private"))
        }
    }

    @Test func replyWithoutCommandEndsTheConnection() {
        var dialogue = open()
        #expect(failure(dialogue.hears(":1\r\n")) == .protocolViolation)
        dialogue = open()
        #expect(failure(dialogue.hears("-ERR max number of clients reached\r\n")) == .full)
    }

    @Test func silenceCountsOnlyWhileAReplyIsOwed() {
        var dialogue = open()
        #expect(dialogue.deadline == .ms(5000))
        _ = publish(1, on: &dialogue, at: .ms(1000))
        _ = publish(2, on: &dialogue, at: .ms(3000))
        #expect(dialogue.deadline == .ms(4000))
        #expect(dialogue.hears(":1\r\n", at: .ms(3500)) == [.published(number: 1, receivers: 1)])
        #expect(dialogue.deadline == .ms(5000))
        dialogue.timerFired(now: .ms(6500))
        #expect(dialogue.next() == .failed(.late(.publish)))
    }

    // MARK: Role

    @Test func roleIsLookedAtAgainAndAgain() {
        var dialogue = open()
        dialogue.timerFired(now: .ms(4999))
        #expect(dialogue.commands() == [])
        dialogue.timerFired(now: .ms(5000))
        #expect(dialogue.commands() == ["ROLE"])
        #expect(publish(1, on: &dialogue, at: .ms(5000)) == .accepted)
        #expect(dialogue.hears(Reply.primary + ":3\r\n", at: .ms(5001)) == [.published(number: 1, receivers: 3)])
        #expect(dialogue.deadline == .ms(10_000))
        dialogue.timerFired(now: .ms(10_000))
        #expect(failure(dialogue.hears(Reply.replica)) == .notPrimary)
    }

    @Test func endBeforeAnyAnswerHasItsOwnSentence() {
        var dialogue = make()
        dialogue.closed()
        #expect(dialogue.drain() == [.failed(.endedEarly)])
    }

    @Test func closedConnectionIsReportedOnce() {
        var dialogue = open()
        dialogue.closed()
        dialogue.closed(RedisError(.unreachable, "Redis: no route."))
        #expect(dialogue.drain() == [.failed(.ended)])
        dialogue.timerFired(now: .ms(100_000))
        #expect(dialogue.drain() == [])
    }

    // MARK: Any input

    @Test(arguments: 0..<30 as Range<UInt64>)
    func noServerMakesItTrap(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let replies = [
            "+OK\r\n", Reply.primary, Reply.replica, Reply.info("r"), ":1\r\n", "-ERR x\r\n", "$-1\r\n", "*0\r\n",
            "*-1\r\n",
            "-NOPERM\r\n", Reply.message("c", "x"),
        ]
        for _ in 0..<60 {
            var stream: [UInt8] = []
            if random.once(in: 2) { stream += Reply.greeting.utf8 }
            for _ in 0..<6 { stream += (random.pick(replies) ?? "").utf8 }
            if random.once(in: 3) { stream[Int.random(in: stream.indices, using: &random)] ^= 1 << (random.next() % 8) }
            let parts = random.split(stream, partBytesMax: 9)
            var whole = make()
            var cut = make()
            func talk(_ dialogue: inout CommandDialogue, _ parts: [[UInt8]]) -> [CommandDialogue.Event] {
                parts.flatMap { dialogue.hears($0) }
            }
            #expect(talk(&whole, [stream]) == talk(&cut, parts), "seed \(seed)")
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func eachMessageIsAnsweredInOrder(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var limits = RedisLimits()
        limits.publishesInFlightMax = 10
        var dialogue = open(limits: limits)
        var (next, answered, owed, time) = (UInt64(1), UInt64(0), 0, UInt64(0))
        for _ in 0..<500 {
            switch random.next() % 3 {
            case 0:
                let offer = publish(next, on: &dialogue, at: .ms(time))
                #expect((offer == .accepted) == (next - answered <= 10), "seed \(seed)")
                if offer == .accepted { next += 1 }
                owed += dialogue.commands().count
            case 1 where owed > 0:
                owed -= 1
                answered += 1
                #expect(
                    dialogue.hears(":\(answered)\r\n", at: .ms(time))
                        == [.published(number: answered, receivers: Int(answered))], "seed \(seed)")
            default: time += random.next() % 10
            }
        }
    }
}
