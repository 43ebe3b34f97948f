import GoHubTestSupport
import Testing

@testable import GoHubCore

/// The names of nodes, their lives, and what is unique through them.
struct NodeIDTests {
    @Test(arguments: ["a", "node-1", "Node_1.eu", "0", String(repeating: "n", count: 64)])
    func nameOfTheConfigurationIsValid(text: String) {
        #expect(NodeName(text)?.value == text)
    }

    @Test(arguments: ["", "a b", "a/b", "a:b", "a@b", "é", "a\n", "a\0", String(repeating: "n", count: 65)])
    func otherNamesAreInvalid(text: String) {
        #expect(NodeName(text) == nil)
    }

    @Test func namesAreOrderedByBytes() {
        #expect(NodeName.named("B") < .named("a"))
        #expect(NodeName.named("a") < .named("a.b"))
    }

    // MARK: Incarnations

    @Test func incarnationIsSixteenDigits() {
        #expect("\(NodeIncarnation.number(0xABC))" == "0000000000000abc")
        #expect("\(NodeIncarnation.number(.max))" == "ffffffffffffffff")
        #expect(NodeIncarnation(text: "0000000000000abc") == .number(0xABC))
    }

    @Test(arguments: ["", "abc", "0000000000000ABC", "0000000000000000", "+000000000000abc", "00000000000000abc"])
    func otherTextsAreNoIncarnation(text: String) {
        #expect(NodeIncarnation(text: text) == nil)
    }

    @Test func zeroIsNoIncarnation() {
        #expect(NodeIncarnation(0) == nil)
        var zerosFirst = Scripted(numbers: [0, 0, 7])
        #expect(NodeIncarnation.random(using: &zerosFirst) == .number(7))
    }

    @Test func restartedNodeIsAnotherNode() {
        #expect(NodeID(name: .named("a"), incarnation: .a) != NodeID(name: .named("a"), incarnation: .b))
        #expect("\(NodeID.a)" == "a@000000000000000a")
    }

    // MARK: Sessions

    @Test func sessionsOfTwoNodesWithTheSameNumberDiffer() {
        let session = SessionID.number(17, edge: 3)
        #expect(ClusterSessionID(node: .a, session: session) != ClusterSessionID(node: .b, session: session))
        #expect("\(ClusterSessionID(node: .a, session: session))" == "000000000000000a-3-17")
    }

    @Test func sessionIsParsedFromItsDescription() {
        let id = ClusterSessionID(node: .c, session: .number(.max, edge: 255))
        #expect(ClusterSessionID(text: "\(id)") == id)
    }

    @Test(arguments: [
        "", "3-17", "000000000000000a-3", "000000000000000a-3-17-1", "000000000000000a--3-17", "000000000000000a-+3-17",
        "000000000000000a-03-17", "000000000000000a-3-18446744073709551616", "0000000000000000-3-17",
        "000000000000000a-9223372036854775808-1", "000000000000000a-3-1 ",
    ])
    func otherTextsAreNoSession(text: String) {
        #expect(ClusterSessionID(text: text) == nil)
    }

    // MARK: The clock that orders claims

    @Test func clockCountsOnWithinAMillisecond() {
        var clock = HybridClock()
        let first = clock.next(at: .ms(5))
        let second = clock.next(at: .ms(5))
        let third = clock.next(at: .ms(4))
        #expect(first < second && second < third)
        #expect(clock.next(at: .ms(6)).value == UInt64(WallTime.ms(6).milliseconds) << 16)
    }

    @Test func clockThatIsBehindFollowsWhatItHears() {
        var ahead = HybridClock()
        var behind = HybridClock()
        let heard = ahead.next(at: .ms(600_000))
        behind.heard(heard)
        #expect(behind.next(at: .ms(0)) > heard)
    }

    /// Otherwise one wrong frame would end all order.
    @Test func clockIgnoresAnAbsurdTime() {
        var clock = HybridClock()
        let before = clock.next(at: .ms(0))
        clock.heard(HybridTime(value: .max))
        #expect(clock.last == before)
        clock.heard(.max)
        #expect(clock.next(at: .ms(0)) > .max)
        #expect(clock.next(at: WallTime(milliseconds: .max)) > .max)
        #expect(clock.next(at: WallTime(milliseconds: .min)) > .max)
    }

    private struct Scripted: RandomNumberGenerator {
        var numbers: [UInt64]

        mutating func next() -> UInt64 { numbers.isEmpty ? 1 : numbers.removeFirst() }
    }
}
