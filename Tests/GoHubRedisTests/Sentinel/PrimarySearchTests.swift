import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// Which server comes next, with and without Sentinels.
struct PrimarySearchTests {
    private static let s = (1...5).map { RedisAddress.of("s\($0)", 26379) }
    private let s1 = Self.s[0]
    private let s2 = Self.s[1]
    private let s3 = Self.s[2]
    private let old = RedisAddress.of("old")
    private let new = RedisAddress.of("new")

    private func make(sentinels: Int = 3) -> PrimarySearch {
        PrimarySearch(
            .sentinels(Array(Self.s.prefix(sentinels)), master: "main"), limits: RedisLimits(), now: .ms(0))
    }

    /// Connected to `old` at 0 ms.
    private func connected(sentinels: Int = 3) -> PrimarySearch {
        var search = make(sentinels: sentinels)
        var step = search.timerFired(now: .ms(0), random: 0)
        while case .ask = step { step = search.answered(old, now: .ms(0), random: 0) }
        #expect(step == .connect(old))
        search.connected(now: .ms(0))
        #expect(search.primary == old)
        return search
    }

    // MARK: One server

    @Test func oneServerIsConnectedToAgainAndAgain() {
        var search = PrimarySearch(.server(old), limits: RedisLimits(), now: .ms(0))
        #expect(search.timerFired(now: .ms(0), random: .max) == .connect(old))
        #expect(search.timerFired(now: .ms(0), random: .max) == nil)
        #expect(search.primary == nil)
        // The waits double, up to the bound, and the random number spreads them over their upper half.
        for (random, until) in [(50, 100), (0, 100), (0, 200), (100, 500), (0, 800)] as [(UInt64, UInt64)] {
            #expect(search.lost(now: .ms(0), random: random) == .wait(until: .ms(until)))
            #expect(search.timerFired(now: .ms(until - 1), random: 0) == nil)
            #expect(search.timerFired(now: .ms(until), random: 0) == .connect(old))
        }
        for _ in 0..<100 {
            #expect(search.lost(now: .ms(0), random: 0).map { step in step != .connect(old) } == true)
            #expect(search.timerFired(now: .ms(2000), random: 0) == .connect(old))
        }
        search.connected(now: .ms(0))
        #expect(search.primary == old)
    }

    @Test func onlyAConnectionThatHoldsEndsTheLongWaits() {
        var search = PrimarySearch(.server(old), limits: RedisLimits(), now: .ms(0))
        _ = search.timerFired(now: .ms(0), random: 0)
        for _ in 0..<10 {
            _ = search.lost(now: .ms(0), random: 0)
            _ = search.timerFired(now: .ms(2000), random: 0)
        }
        search.connected(now: .ms(0))
        #expect(search.lost(now: .ms(4999), random: 0) == .wait(until: .ms(5999)))
        _ = search.timerFired(now: .ms(5999), random: 0)
        search.connected(now: .ms(6000))
        #expect(search.lost(now: .ms(11_000), random: 0) == .wait(until: .ms(11_050)))
    }

    // MARK: Rule 1: ask before each connection

    @Test func mostSentinelsMustAgree() {
        var search = make()
        #expect(search.timerFired(now: .ms(0), random: 0) == .ask(s1))
        #expect(search.answered(old, now: .ms(0), random: 0) == .ask(s2))
        #expect(search.answered(new, now: .ms(0), random: 0) == .ask(s3))
        #expect(search.answered(new, now: .ms(0), random: 0) == .connect(new))
    }

    @Test func enoughAgreementEndsTheRound() {
        var search = make()
        _ = search.timerFired(now: .ms(0), random: 0)
        #expect(search.answered(new, now: .ms(0), random: 0) == .ask(s2))
        #expect(search.answered(new, now: .ms(0), random: 0) == .connect(new))
    }

    @Test func sentinelsThatAnswerDecideAlone() {
        var search = make()
        _ = search.timerFired(now: .ms(0), random: 0)
        #expect(search.unanswered(now: .ms(0), random: 0) == .ask(s2))
        #expect(search.answered(nil, now: .ms(0), random: 0) == .ask(s3))
        #expect(search.answered(new, now: .ms(0), random: 0) == .connect(new))
        // It is asked first from now on.
        search.connected(now: .ms(0))
        #expect(search.lost(now: .ms(10_000), random: 0) == .wait(until: .ms(10_050)))
        #expect(search.timerFired(now: .ms(10_050), random: 0) == .ask(s3))
    }

    @Test func withoutAnAnswerTheyAreAskedAgainWithinASecond() {
        var search = make()
        var time: UInt64 = 0
        for _ in 0..<20 {
            #expect(search.timerFired(now: .ms(time), random: 0) == .ask(s1))
            _ = search.unanswered(now: .ms(time), random: 0)
            _ = search.unanswered(now: .ms(time), random: 0)
            guard case .wait(let until) = search.answered(nil, now: .ms(time), random: .max) else {
                Issue.record("it doesn't wait")
                return
            }
            #expect(until <= .ms(time + 1000))
            time += 1000
        }
    }

    @Test func eachLossIsFollowedByQuestions() {
        var search = connected()
        #expect(search.lost(now: .ms(6000), random: 0) == .wait(until: .ms(6050)))
        #expect(search.primary == nil)
        #expect(search.timerFired(now: .ms(6050), random: 0) == .ask(s1))
    }

    // MARK: Rule 2: the server's own word

    @Test func serverThatIsNoPrimaryIsNotTriedAgainInTheRound() {
        var search = make()
        _ = search.timerFired(now: .ms(0), random: 0)
        _ = search.answered(old, now: .ms(0), random: 0)
        #expect(search.answered(old, now: .ms(0), random: 0) == .connect(old))
        // It is a replica already. The third Sentinel hasn't been asked.
        #expect(search.lost(now: .ms(10), random: 0) == .ask(s3))
        #expect(search.answered(old, now: .ms(10), random: 0) == .wait(until: .ms(60)))
        #expect(search.timerFired(now: .ms(60), random: 0) == .ask(s1))
    }

    @Test func minorityIsTriedAfterTheMajority() {
        var search = make()
        _ = search.timerFired(now: .ms(0), random: 0)
        _ = search.answered(new, now: .ms(0), random: 0)
        _ = search.answered(old, now: .ms(0), random: 0)
        #expect(search.answered(old, now: .ms(0), random: 0) == .connect(old))
        #expect(search.lost(now: .ms(10), random: 0) == .connect(new))
        search.connected(now: .ms(20))
        #expect(search.primary == new)
    }

    // MARK: Rule 3: news are a shortcut

    @Test func newsOfAnotherPrimaryEndsTheConnections() {
        var search = connected()
        #expect(search.switched(to: old, now: .ms(6000), random: 0) == nil)
        #expect(search.switched(to: new, now: .ms(6000), random: 0) == .leave)
        #expect(search.lost(now: .ms(6000), random: 0) == .wait(until: .ms(6050)))
        // More news ends the wait. The Sentinels are asked all the same.
        #expect(search.switched(to: new, now: .ms(6001), random: 0) == .ask(s1))
        #expect(search.switched(to: new, now: .ms(6001), random: 0) == nil)
        #expect(search.answered(new, now: .ms(6002), random: 0) == .ask(s2))
        #expect(search.answered(new, now: .ms(6002), random: 0) == .connect(new))
    }

    // MARK: Two primaries

    @Test func otherRunIDsMakeItAsk() {
        var search = connected()
        #expect(search.compared(own: "x", others: ["x", "x"], now: .ms(0), random: 0) == nil)
        #expect(search.compared(own: "x", others: [], now: .ms(0), random: 0) == nil)
        #expect(search.compared(own: "x", others: ["y"], now: .ms(0), random: 0) == .ask(s1))
        #expect(search.primary == old)
        _ = search.answered(old, now: .ms(0), random: 0)
        #expect(search.answered(old, now: .ms(0), random: 0) == .stay)
        #expect(search.compared(own: "x", others: ["y"], now: .ms(4999), random: 0) == nil)
        #expect(search.compared(own: "x", others: ["y"], now: .ms(5000), random: 0) == .ask(s1))
        _ = search.answered(new, now: .ms(5000), random: 0)
        #expect(search.answered(new, now: .ms(5000), random: 0) == .leave)
        #expect(search.lost(now: .ms(5000), random: 0) == .wait(until: .ms(5050)))
    }

    @Test func withoutAnswersTheConnectionsStay() {
        var search = connected()
        _ = search.compared(own: "x", others: ["y"], now: .ms(0), random: 0)
        _ = search.unanswered(now: .ms(0), random: 0)
        _ = search.unanswered(now: .ms(0), random: 0)
        #expect(search.unanswered(now: .ms(0), random: 0) == .stay)
        #expect(search.primary == old)
    }

    @Test func connectionsStayUnlessMoreSentinelsNameAnother() {
        var search = connected()
        #expect(search.check(now: .ms(0), random: 0) == .ask(s1))
        #expect(search.check(now: .ms(0), random: 0) == nil)
        // One is cut off, and one is gone.
        _ = search.answered(new, now: .ms(0), random: 0)
        _ = search.unanswered(now: .ms(0), random: 0)
        #expect(search.answered(old, now: .ms(0), random: 0) == .stay)
        #expect(search.primary == old)
    }

    @Test func connectionsThatBreakWhileCheckedAreMadeAnew() {
        var search = connected()
        #expect(search.compared(own: "x", others: ["y"], now: .ms(0), random: 0) == .ask(s1))
        #expect(search.lost(now: .ms(1), random: 0) == nil)
        #expect(search.primary == nil)
        _ = search.answered(old, now: .ms(2), random: 0)
        #expect(search.answered(old, now: .ms(2), random: 0) == .connect(old))
    }

    @Test func withoutSentinelsTheSmallerPartMoves() {
        var search = PrimarySearch(.server(old), limits: RedisLimits(), now: .ms(0))
        _ = search.timerFired(now: .ms(0), random: 0)
        search.connected(now: .ms(0))
        #expect(search.compared(own: "x", others: ["x", "y"], now: .ms(0), random: 0) == nil)
        #expect(search.compared(own: "x", others: ["y"], now: .ms(5000), random: 0) == .leave)
        #expect(search.compared(own: "x", others: ["x", "y", "y", "z"], now: .ms(10_000), random: 0) == .leave)
    }

    // MARK: Any order of events

    /// Sentinels, servers and news behave as they like for a while, and then well: the search ends at the primary.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func searchEndsAtThePrimary(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let count = Int.random(in: 1...5, using: &random)
        var search = make(sentinels: count)
        var time: UInt64 = 0
        var step: PrimarySearch.Step?
        var asked: Set<RedisAddress> = []
        /// Does what the step asks, well or badly.
        func perform(well: Bool) {
            switch step {
            case nil: step = search.timerFired(now: .ms(time), random: random.next())
            case .wait(let until):
                while .ms(time) < until { time += 10 }
                if well || !random.once(in: 4) {
                    step = search.timerFired(now: .ms(time), random: random.next())
                } else {
                    step = search.switched(to: new, now: .ms(time), random: random.next())
                }
                asked = []
                #expect(step != nil, "seed \(seed)")
            case .ask(let sentinel):
                #expect(asked.insert(sentinel).inserted, "a Sentinel is asked once in a round, seed \(seed)")
                time += 1
                let answer = well ? new : random.pick([old, new, nil]) ?? nil
                step =
                    !well && random.once(in: 3)
                    ? search.unanswered(now: .ms(time), random: random.next())
                    : search.answered(answer, now: .ms(time), random: random.next())
            case .connect(let address):
                time += 1
                if address == new ? well || random.once(in: 2) : !well && random.once(in: 4) {
                    search.connected(now: .ms(time))
                    step = .stay
                } else {
                    step = search.lost(now: .ms(time), random: random.next())
                }
            case .leave: step = search.lost(now: .ms(time), random: random.next())
            case .stay:
                time += random.next() % 10_000
                asked = []
                if !well || search.primary == old {
                    // The role is looked at, or the other nodes are elsewhere.
                    step =
                        random.once(in: 2)
                        ? search.lost(now: .ms(time), random: random.next())
                        : search.compared(own: "x", others: ["y"], now: .ms(time), random: random.next()) ?? .stay
                }
            }
        }
        for _ in 0..<Int(random.next() % 60) { perform(well: false) }
        var steps = 0
        while search.primary != new || step != .stay {
            perform(well: true)
            steps += 1
            guard steps < 200 else {
                Issue.record("no primary after 200 steps, seed \(seed)")
                return
            }
        }
    }
}
