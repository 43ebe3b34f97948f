import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Two nodes, a and b, that claim a key of Alice's.
struct SessionClaimsTests {
    private var a = SessionClaims(own: .a, limits: ClusterLimits(), sessionsPerUserMax: 5)
    private var b = SessionClaims(own: .b, limits: ClusterLimits(), sessionsPerUserMax: 5)
    private let key = SessionKey.of(.alice)

    init() {
        _ = act(&a) { $0.linkRestored(now: .ms(0), into: &$1) }
        _ = act(&b) { $0.linkRestored(now: .ms(0), into: &$1) }
        _ = act(&a) { $0.peersChanged(answering: [.b], silent: [], into: &$1) }
        _ = act(&b) { $0.peersChanged(answering: [.a], silent: [], into: &$1) }
    }

    private func act(
        _ claims: inout SessionClaims, _ body: (inout SessionClaims, inout [ClaimAction]) -> Void
    ) -> [ClaimAction] {
        var actions: [ClaimAction] = []
        body(&claims, &actions)
        return actions
    }

    /// A session begins at a time, by a calendar that may be wrong by `skew` milliseconds.
    private func request(
        _ claims: inout SessionClaims, _ session: UInt64, at milliseconds: UInt64, skew: Int64 = 0, local: Int = 0
    ) -> (claim: SessionClaim?, actions: [ClaimAction]) {
        let actions = act(&claims) {
            $0.requested(
                .number(session), key, localSessions: local, now: .ms(milliseconds),
                at: .ms(Int64(milliseconds) + skew), into: &$1)
        }
        return (claim(in: actions), actions)
    }

    private func claim(in actions: [ClaimAction]) -> SessionClaim? {
        actions.lazy.compactMap { if case .tell(let claim) = $0 { claim } else { nil } }.first
    }

    private func tell(_ claims: inout SessionClaims, _ claim: SessionClaim, receivers: Int?, at milliseconds: UInt64)
        -> [ClaimAction]
    {
        act(&claims) { $0.told(key, claim.stamp, receivers: receivers, now: .ms(milliseconds), into: &$1) }
    }

    private func hear(
        _ claims: inout SessionClaims, _ claim: SessionClaim, others: Int = 0, at milliseconds: UInt64
    ) -> [ClaimAction] {
        act(&claims) {
            $0.claimed(claim, from: claim.stamp.node, otherSessions: others, now: .ms(milliseconds), into: &$1)
        }
    }

    private func answer(
        _ claims: inout SessionClaims, _ claim: SessionClaim, _ verdict: ClaimAnswer.Verdict,
        from node: NodeIncarnation,
        at milliseconds: UInt64
    ) -> [ClaimAction] {
        act(&claims) {
            $0.answered(
                ClaimAnswer(key, claim.stamp, verdict), from: node, now: .ms(milliseconds),
                at: .ms(Int64(milliseconds)), into: &$1)
        }
    }

    private func end(_ claims: inout SessionClaims, _ session: UInt64, others: Int = 0) -> [ClaimAction] {
        act(&claims) { $0.ended(.number(session), key, otherSessions: others, into: &$1) }
    }

    /// Session 1 lives on node a since the time.
    private mutating func begin(at milliseconds: UInt64, skew: Int64 = 0) throws -> SessionClaim {
        let claim = try #require(request(&a, 1, at: milliseconds, skew: skew).claim)
        #expect(tell(&a, claim, receivers: 0, at: milliseconds) == [.welcome(.number(1), isClaimed: true)])
        return claim
    }

    // MARK: The usual way

    @Test mutating func sessionIsWelcomedAtOnceWhenNobodyElseHearsTheClaim() throws {
        let (claim, actions) = request(&a, 1, at: 0)
        let stamp = try #require(claim?.stamp)
        #expect(actions == [.tell(SessionClaim(key, stamp, .new)), .scheduleTimer(.ms(1000))])
        #expect(try tell(&a, #require(claim), receivers: 0, at: 1) == [.welcome(.number(1), isClaimed: true)])
        #expect(a.pendingCount == 0)
    }

    @Test mutating func olderSessionIsClosedAndHasLeftBeforeTheWelcome() throws {
        _ = try begin(at: 0)
        let claim = try #require(request(&b, 2, at: 5000).claim)
        #expect(tell(&b, claim, receivers: 1, at: 5001) == [])
        #expect(
            hear(&a, claim, at: 5001) == [
                .close(.number(1), .replaced), .answer(.b, ClaimAnswer(key, claim.stamp, .clearing)),
            ])
        #expect(answer(&b, claim, .clearing, from: .a, at: 5002) == [])
        #expect(end(&a, 1, others: 2) == [.answer(.b, ClaimAnswer(key, claim.stamp, .free(sessions: 2)))])
        #expect(
            answer(&b, claim, .free(sessions: 2), from: .a, at: 5003) == [.welcome(.number(2), isClaimed: true)])
        #expect(a.count == 0 && b.count == 1)
    }

    @Test mutating func nodeWithOtherDevicesAnswersAtOnce() throws {
        let claim = try #require(request(&b, 2, at: 0).claim)
        #expect(
            hear(&a, claim, others: 3, at: 1) == [.answer(.b, ClaimAnswer(key, claim.stamp, .free(sessions: 3)))])
    }

    @Test mutating func sessionsOfAllNodesAreCounted() throws {
        let claim = try #require(request(&b, 2, at: 0, local: 2).claim)
        _ = tell(&b, claim, receivers: 1, at: 1)
        #expect(
            answer(&b, claim, .free(sessions: 3), from: .a, at: 2) == [.close(.number(2), .connectionLimit)])
    }

    // MARK: Order

    @Test mutating func laterOfTwoClaimsThatCrossStays() throws {
        let first = try #require(request(&a, 1, at: 0).claim)
        let second = try #require(request(&b, 2, at: 1).claim)
        _ = tell(&a, first, receivers: 1, at: 2)
        _ = tell(&b, second, receivers: 1, at: 2)
        // Its client may be the newer one, if a calendar is wrong.
        #expect(hear(&a, second, at: 3).first == .close(.number(1), .serviceRestart))
        #expect(
            hear(&b, first, at: 3) == [
                .answer(.a, ClaimAnswer(key, first.stamp, .outranked(by: second.stamp, age: 2)))
            ])
        #expect(answer(&a, first, .outranked(by: second.stamp, age: 2), from: .b, at: 4) == [])
        _ = end(&a, 1)
        #expect(answer(&b, second, .free(sessions: 0), from: .a, at: 5) == [.welcome(.number(2), isClaimed: true)])
    }

    /// Node b's calendar is an hour behind, and it has heard nothing of a yet.
    @Test mutating func claimOfASlowClockIsRaised() throws {
        let older = try begin(at: 0)
        let claim = try #require(request(&b, 2, at: 5000, skew: -3_600_000).claim)
        _ = tell(&b, claim, receivers: 1, at: 5001)
        let outranked = ClaimAnswer.Verdict.outranked(by: older.stamp, age: 5001)
        #expect(hear(&a, claim, at: 5001) == [.answer(.b, ClaimAnswer(key, claim.stamp, outranked))])
        let raised = try #require(self.claim(in: answer(&b, claim, outranked, from: .a, at: 5002)))
        #expect(raised.stamp > older.stamp)
        _ = tell(&b, raised, receivers: 1, at: 5002)
        #expect(hear(&a, raised, at: 5003).first == .close(.number(1), .replaced))
    }

    @Test mutating func clockFollowsWhatItHears() throws {
        let older = try begin(at: 0)
        b.heard(older.stamp.time)
        let claim = try #require(request(&b, 2, at: 5000, skew: -3_600_000).claim)
        #expect(claim.stamp > older.stamp)
    }

    @Test mutating func claimThatIsOutrankedByAYoungerSessionYields() throws {
        let older = try #require(request(&b, 2, at: 1000).claim)
        let younger = try begin(at: 4000)
        _ = tell(&b, older, receivers: 0, at: 1001)
        let outranked = ClaimAnswer.Verdict.outranked(by: younger.stamp, age: 1000)
        #expect(answer(&b, older, outranked, from: .a, at: 5000) == [.close(.number(2), .replaced)])
    }

    /// Many clients with one device come back again and again. At last they are told not to.
    @Test mutating func herdOfOneDeviceEnds() throws {
        let max = ClusterLimits().claimDoubtsMax
        var codes: [CloseCode] = []
        for round in 1...UInt64(max + 1) {
            let time = 1000 + round * 100
            _ = request(&a, round, at: time)
            let claim = try #require(request(&b, 100 + round, at: time + 10).claim)
            let actions = act(&a) {
                $0.claimed(claim, from: .b, otherSessions: 0, now: .ms(time + 10), into: &$1)
            }
            codes += actions.compactMap { if case .close(_, let code) = $0 { code } else { nil } }
            _ = act(&a) { [key] in $0.ended(.number(round), key, otherSessions: 0, into: &$1) }
            _ = act(&b) { [key] in $0.ended(.number(100 + round), key, otherSessions: 0, into: &$1) }
        }
        #expect(codes == Array(repeating: .serviceRestart, count: max) + [.replaced])
    }

    /// A second could be the way of the answer.
    @Test mutating func clientMayComeBackIfTheOrderIsInDoubt() throws {
        let claim = try #require(request(&b, 2, at: 4000).claim)
        let younger = try begin(at: 4500, skew: 3_600_000)
        let outranked = ClaimAnswer.Verdict.outranked(by: younger.stamp, age: 100)
        #expect(answer(&b, claim, outranked, from: .a, at: 5000) == [.close(.number(2), .serviceRestart)])
    }

    @Test mutating func raisesAreBounded() throws {
        var claim = try #require(request(&b, 2, at: 4000).claim)
        for _ in 0..<2 {
            let outranked = ClaimAnswer.Verdict.outranked(by: ClaimStamp(.max, .a), age: 9000)
            claim = try #require(self.claim(in: answer(&b, claim, outranked, from: .a, at: 4001)))
        }
        let outranked = ClaimAnswer.Verdict.outranked(by: ClaimStamp(.max, .a), age: 9000)
        #expect(answer(&b, claim, outranked, from: .a, at: 4002) == [.close(.number(2), .serviceRestart)])
    }

    @Test mutating func clientMayComeBackIfTheClaimantsCalendarIsAhead() throws {
        _ = try begin(at: 0)
        let claim = try #require(request(&b, 2, at: 5000, skew: 60_000).claim)
        #expect(hear(&a, claim, at: 5001).first == .close(.number(1), .serviceRestart))
    }

    /// The client has moved from a to b and back; b's claim arrives again.
    @Test mutating func lateClaimClosesNobody() throws {
        _ = try begin(at: 0)
        let second = try #require(request(&b, 2, at: 5000).claim)
        _ = hear(&a, second, at: 5001)
        _ = end(&a, 1)
        let third = try #require(request(&a, 3, at: 6000).claim)
        _ = hear(&b, third, at: 6001)
        _ = end(&b, 2)
        _ = tell(&a, third, receivers: 0, at: 6002)
        let late = hear(&a, second, at: 60_000)
        let outranked = ClaimAnswer.Verdict.outranked(by: third.stamp, age: 54_000)
        #expect(late == [.answer(.b, ClaimAnswer(key, second.stamp, outranked))])
        #expect(answer(&b, second, outranked, from: .a, at: 60_001) == [])
    }

    @Test mutating func claimInAnotherNodesNameIsIgnored() throws {
        _ = try begin(at: 0)
        let claim = SessionClaim(key, ClaimStamp(.max, .c), .new)
        let actions = act(&a) { $0.claimed(claim, from: .b, otherSessions: 0, now: .ms(1), into: &$1) }
        #expect(actions == [])
    }

    // MARK: Waiting

    @Test mutating func sessionIsWelcomedAfterASecondAndTheClaimRepeated() throws {
        let claim = try #require(request(&b, 2, at: 0).claim)
        _ = tell(&b, claim, receivers: 1, at: 1)
        #expect(act(&b) { $0.timerFired(now: .ms(999), into: &$1) } == [.scheduleTimer(.ms(1000))])
        #expect(
            act(&b) { $0.timerFired(now: .ms(1000), into: &$1) } == [
                .welcome(.number(2), isClaimed: false), .tell(claim), .scheduleTimer(.ms(2000)),
            ])
        #expect(b.unansweredCount == 1)
        _ = tell(&b, claim, receivers: 1, at: 1001)
        #expect(answer(&b, claim, .free(sessions: 0), from: .a, at: 1500) == [])
        #expect(b.pendingCount == 0)
        #expect(act(&b) { $0.timerFired(now: .ms(2000), into: &$1) } == [])
    }

    @Test mutating func repeatsAreBounded() throws {
        _ = request(&b, 2, at: 0)
        var told = 0
        for second in 1...10 as ClosedRange<UInt64> {
            let actions = act(&b) { $0.timerFired(now: .ms(second * 1000), into: &$1) }
            if claim(in: actions) != nil { told += 1 }
        }
        #expect(told == 3 && b.pendingCount == 0 && b.count == 1)
    }

    @Test mutating func nobodyWaitsForASuspect() throws {
        let claim = try #require(request(&b, 2, at: 0).claim)
        _ = tell(&b, claim, receivers: 1, at: 1)
        let actions = act(&b) { $0.peersChanged(answering: [], silent: [.a], into: &$1) }
        #expect(actions == [.welcome(.number(2), isClaimed: true)])
    }

    /// The third receiver has just started: it is counted by the bus, and not known as a peer.
    @Test mutating func nodeThatIsNotKnownYetIsWaitedFor() throws {
        let claim = try #require(request(&b, 2, at: 0).claim)
        _ = tell(&b, claim, receivers: 2, at: 1)
        #expect(answer(&b, claim, .free(sessions: 0), from: .a, at: 2) == [])
        #expect(answer(&b, claim, .free(sessions: 0), from: .c, at: 3) == [.welcome(.number(2), isClaimed: true)])
    }

    @Test mutating func busThatCannotCountIsGivenAMoment() throws {
        let claim = try #require(request(&b, 2, at: 0).claim)
        #expect(tell(&b, claim, receivers: nil, at: 1) == [.scheduleTimer(.ms(21))])
        #expect(
            act(&b) { $0.timerFired(now: .ms(21), into: &$1) } == [
                .welcome(.number(2), isClaimed: true), .scheduleTimer(.ms(1000)),
            ])
    }

    @Test mutating func clearingNodeIsWaitedForAlthoughTheBusCannotCount() throws {
        let claim = try #require(request(&b, 2, at: 0).claim)
        _ = tell(&b, claim, receivers: nil, at: 1)
        _ = answer(&b, claim, .clearing, from: .a, at: 2)
        #expect(act(&b) { $0.timerFired(now: .ms(21), into: &$1) } == [.scheduleTimer(.ms(1000))])
        #expect(answer(&b, claim, .free(sessions: 0), from: .a, at: 50) == [.welcome(.number(2), isClaimed: true)])
    }

    // MARK: The bus is away

    @Test mutating func sessionIsWelcomedUnclaimedWithoutTheBus() {
        _ = act(&a) { $0.linkLost(into: &$1) }
        #expect(request(&a, 1, at: 0).actions == [.welcome(.number(1), isClaimed: false)])
    }

    @Test mutating func lossOfTheBusEndsTheWait() throws {
        let claim = try #require(request(&a, 1, at: 0).claim)
        _ = tell(&a, claim, receivers: 1, at: 1)
        #expect(act(&a) { $0.linkLost(into: &$1) } == [.welcome(.number(1), isClaimed: false)])
        #expect(answer(&a, claim, .free(sessions: 0), from: .b, at: 2) == [])
    }

    /// Both nodes have a session of the key, and the bus is back. Session 1 is the older one.
    private mutating func meet(idleOfA: Milliseconds, idleOfB: Milliseconds) throws -> (SessionClaim, SessionClaim) {
        _ = act(&a) { $0.linkLost(into: &$1) }
        _ = act(&b) { $0.linkLost(into: &$1) }
        _ = request(&a, 1, at: 0)
        _ = request(&b, 2, at: 1000)
        let asksA = act(&a) { $0.linkRestored(now: .ms(2000), into: &$1) }
        let asksB = act(&b) { $0.linkRestored(now: .ms(2000), into: &$1) }
        #expect(asksA == [.measureIdle(.number(1), .claim(key))])
        #expect(asksB == [.measureIdle(.number(2), .claim(key))])
        let ofA = act(&a) { $0.idleMeasured(.number(1), idleOfA, .claim(key), into: &$1) }
        let ofB = act(&b) { $0.idleMeasured(.number(2), idleOfB, .claim(key), into: &$1) }
        return try (#require(claim(in: ofA)), #require(claim(in: ofB)))
    }

    @Test mutating func clientHeardMoreRecentlyStays() throws {
        let (ofA, ofB) = try meet(idleOfA: 9000, idleOfB: 100)
        let purpose = SessionClaims.IdlePurpose.settle(ofB, from: .b)
        #expect(hear(&a, ofB, at: 2001) == [.measureIdle(.number(1), purpose)])
        #expect(
            act(&a) { $0.idleMeasured(.number(1), 9001, purpose, into: &$1) } == [
                .close(.number(1), .serviceRestart), .answer(.b, ClaimAnswer(key, ofB.stamp, .clearing)),
            ])
        // The other node doesn't decide.
        let back = SessionClaims.IdlePurpose.settle(ofA, from: .a)
        #expect(hear(&b, ofA, at: 2001) == [.measureIdle(.number(2), back)])
        #expect(
            act(&b) { $0.idleMeasured(.number(2), 101, back, into: &$1) } == [
                .answer(.a, ClaimAnswer(key, ofA.stamp, .holds(ofB.stamp, idle: 101)))
            ])
        #expect(answer(&a, ofA, .holds(ofB.stamp, idle: 101), from: .b, at: 2002) == [])
    }

    @Test mutating func olderSessionStaysIfItsClientIsTheOneThatLives() throws {
        let (ofA, ofB) = try meet(idleOfA: 100, idleOfB: 9000)
        _ = hear(&b, ofA, at: 2001)
        let holds = ClaimAnswer.Verdict.holds(ofB.stamp, idle: 9001)
        let purpose = SessionClaims.IdlePurpose.settle(
            SessionClaim(key, ofB.stamp, .again(idle: 9001)), from: .b)
        #expect(answer(&a, ofA, holds, from: .b, at: 2002) == [.measureIdle(.number(1), purpose)])
        #expect(
            act(&a) { $0.idleMeasured(.number(1), 102, purpose, into: &$1) } == [
                .answer(.b, ClaimAnswer(key, ofB.stamp, .outlived))
            ])
        #expect(answer(&b, ofB, .outlived, from: .a, at: 2003) == [.close(.number(2), .serviceRestart)])
        #expect(answer(&b, ofB, .outlived, from: .a, at: 2004) == [])
    }

    /// Otherwise both could be closed, when a client speaks in between.
    @Test mutating func decisionIsMadeOnce() throws {
        let (_, ofB) = try meet(idleOfA: 100, idleOfB: 9000)
        let purpose = SessionClaims.IdlePurpose.settle(ofB, from: .b)
        let outlived = [ClaimAction.answer(.b, ClaimAnswer(key, ofB.stamp, .outlived))]
        #expect(act(&a) { $0.idleMeasured(.number(1), 100, purpose, into: &$1) } == outlived)
        let again = SessionClaims.IdlePurpose.settle(SessionClaim(key, ofB.stamp, .again(idle: 0)), from: .b)
        #expect(act(&a) { $0.idleMeasured(.number(1), 200, again, into: &$1) } == outlived)
    }

    @Test mutating func claimsAfterAnOutageAreSpread() {
        var limits = ClusterLimits()
        limits.claimsPerStep = 2
        a = SessionClaims(own: .a, limits: limits, sessionsPerUserMax: 5)
        for number in 1...3 as ClosedRange<UInt64> {
            let key = SessionKey.of(.alice, .named("d\(number)"))
            _ = act(&a) {
                $0.requested(.number(number), key, localSessions: 0, now: .ms(0), at: .ms(0), into: &$1)
            }
        }
        let first = act(&a) { $0.linkRestored(now: .ms(0), into: &$1) }
        #expect(
            first == [
                .measureIdle(.number(1), .claim(.of(.alice, .named("d1")))),
                .measureIdle(.number(2), .claim(.of(.alice, .named("d2")))), .scheduleTimer(.ms(100)),
            ])
        #expect(
            act(&a) { $0.timerFired(now: .ms(100), into: &$1) } == [
                .measureIdle(.number(3), .claim(.of(.alice, .named("d3"))))
            ])
    }
}
