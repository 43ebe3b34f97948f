import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// The connection to a Sentinel, by what it says.
struct SentinelDialogueTests {
    private static let answer = "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6380\r\n"

    private func make(_ credentials: RedisCredentials? = nil) -> SentinelDialogue {
        SentinelDialogue(master: "main", credentials: credentials, limits: RedisLimits(), now: .ms(0))
    }

    @Test func questionIsSentAtOnce() {
        var dialogue = make()
        #expect(dialogue.commands() == ["SENTINEL get-master-addr-by-name main"])
        #expect(dialogue.hears(Self.answer) == [.answered(.of("10.0.0.1", 6380))])
        dialogue = make(RedisCredentials(user: "u", password: "p"))
        #expect(dialogue.commands() == ["AUTH u p", "SENTINEL get-master-addr-by-name main"])
        #expect(dialogue.hears("+OK\r\n" + Self.answer) == [.answered(.of("10.0.0.1", 6380))])
    }

    @Test func unknownNameIsAnAnswer() {
        var dialogue = make()
        #expect(dialogue.hears("*-1\r\n") == [.answered(nil)])
        #expect(dialogue.deadline == nil)
    }

    @Test func newsOfThePrimaryFollow() {
        var dialogue = make()
        dialogue.watch(now: .ms(0))
        _ = dialogue.sent()
        _ = dialogue.hears(Self.answer)
        dialogue.watch(now: .ms(100))
        #expect(dialogue.commands() == ["SUBSCRIBE +switch-master"])
        #expect(dialogue.deadline == .ms(3100))
        #expect(dialogue.hears(Reply.confirmation("subscribe", "+switch-master"), at: .ms(200)) == [])
        #expect(dialogue.hears(Reply.message("+switch-master", "other 1.1.1.1 1 2.2.2.2 2"), at: .ms(300)) == [])
        #expect(
            dialogue.hears(Reply.message("+switch-master", "main 10.0.0.1 6380 10.0.0.2 6381"), at: .ms(400))
                == [.switched(.of("10.0.0.2", 6381))])
        #expect(dialogue.deadline == .ms(5400))
        dialogue.timerFired(now: .ms(5400))
        #expect(dialogue.commands() == ["PING"])
        #expect(dialogue.hears("*2\r\n$4\r\npong\r\n$0\r\n\r\n", at: .ms(5500)) == [])
        dialogue.timerFired(now: .ms(10_500))
        dialogue.timerFired(now: .ms(13_500))
        #expect(dialogue.drain() == [.failed(.late(.ping))])
    }

    @Test func answerInSmallPartsIsLate() {
        var dialogue = make()
        #expect(dialogue.hears("*2\r\n", at: .ms(900)) == [])
        #expect(dialogue.deadline == .ms(1000))
        dialogue.timerFired(now: .ms(1000))
        #expect(dialogue.drain() == [.failed(.late(.primaryAddress))])
    }

    @Test(arguments: [
        ("-NOAUTH Authentication required.\r\n", RedisError.Code.authentication),
        ("-ERR unknown command 'SENTINEL'\r\n", .refused),
        ("-NOPERM no\r\n", .permission),
        ("-IDONTKNOW I have not enough information\r\n", .refused),
        ("*2\r\n$1\r\na\r\n$1\r\n0\r\n", .protocolViolation),
        ("*2\r\n$1\r\na\r\n$5\r\n65536\r\n", .protocolViolation),
        ("*2\r\n$3\r\na b\r\n$1\r\n1\r\n", .protocolViolation),
        ("*1\r\n$1\r\na\r\n", .protocolViolation),
        ("+OK\r\n", .protocolViolation),
    ])
    func otherAnswersEndTheConnection(_ reply: String, _ code: RedisError.Code) {
        var dialogue = make()
        guard case .failed(let error) = dialogue.hears(reply).first else {
            Issue.record("it goes on")
            return
        }
        #expect(error.code == code)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func noSentinelMakesItTrap(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 {
            var stream = Array(
                (Self.answer + Reply.confirmation("subscribe", "+switch-master")
                    + Reply.message("+switch-master", "main a 1 b 2") + "*2\r\n$4\r\npong\r\n$0\r\n\r\n").utf8)
            for _ in 0..<Int(random.next() % 3) {
                stream[Int.random(in: stream.indices, using: &random)] = UInt8(truncatingIfNeeded: random.next())
            }
            func talk(_ parts: [[UInt8]]) -> [SentinelDialogue.Event] {
                var dialogue = make()
                var events: [SentinelDialogue.Event] = []
                for part in parts {
                    for byte in part {
                        events += dialogue.hears([byte])
                        dialogue.watch(now: .ms(0))
                    }
                }
                return events
            }
            #expect(talk([stream]) == talk(random.split(stream, partBytesMax: 7)), "seed \(seed)")
        }
    }
}
