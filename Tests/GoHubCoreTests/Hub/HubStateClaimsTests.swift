import GoHubTestSupport
import Testing

@testable import GoHubCore

/// One session of a device in the whole cluster, as a shard and its sessions see it.
struct HubStateClaimsTests {
    private let phone = SessionKey.of(.alice)
    private let laptop = SessionKey.of(.alice, .laptop)

    /// A shard with a session whose claim is published, but not reported on.
    private func makeClaiming() throws -> (state: HubState, claim: SessionClaim, number: UInt64) {
        var state = HubState.makeOnBus()
        _ = state.actions { $0.connected(.number(1), phone, now: .ms(1000), into: &$1) }
        let actions = state.confirm([.user(.alice)], now: .ms(1000))
        let claim = try #require(claims(actions).first)
        return (state, claim, try #require(actions.numbers.first))
    }

    private func claims(_ actions: [HubAction]) -> [SessionClaim] {
        actions.published.compactMap {
            guard case .claim(let claim) = $0.message, $0.topic == .user(claim.key.user) else { return nil }
            return claim
        }
    }

    /// Answers to node `b`.
    private func answers(_ actions: [HubAction], to node: NodeIncarnation = .b) -> [ClaimAnswer.Verdict] {
        actions.published.compactMap {
            guard case .claimAnswered(let answer) = $0.message, $0.topic == .node(node) else { return nil }
            return answer.verdict
        }
    }

    private func closes(_ actions: [HubAction]) -> [HubAction] {
        actions.filter { if case .send(_, .close) = $0 { true } else { false } }
    }

    /// Another node's claim of a session that began at a time.
    private func claim(_ key: SessionKey, at time: Int64, of node: NodeIncarnation = .b) -> ClusterMessage {
        let reading = HybridTime(value: UInt64(clamping: WallTime.ms(time).milliseconds) << 16)
        return .claim(SessionClaim(key, ClaimStamp(reading, node), .new))
    }

    private func answer(_ claim: SessionClaim, _ verdict: ClaimAnswer.Verdict, _ state: inout HubState) -> [HubAction] {
        state.hear(
            .claimAnswered(ClaimAnswer(claim.key, claim.stamp, verdict)), to: .node(.a), now: .ms(1010))
    }

    // MARK: The welcome

    @Test func welcomeWaitsForTheClaim() throws {
        var state = HubState.makeOnBus()
        let connected = state.actions { $0.connected(.number(1), phone, now: .ms(1000), into: &$1) }
        #expect(connected == [.bus(.subscribe([.user(.alice)]))])
        let claimed = state.confirm([.user(.alice)], now: .ms(1001))
        #expect(claims(claimed).map(\.key) == [phone])
        #expect(!claimed.contains(.send(1, .welcome)))
        #expect(state.liveSessions(of: phone.user) == [])
        let number = try #require(claimed.numbers.first)
        // Nobody else has heard it.
        #expect(state.actions { $0.published(number, receivers: 0, now: .ms(1002), into: &$1) } == [.send(1, .welcome)])
        #expect(state.liveSessions(of: phone.user) == [.number(1)])
    }

    @Test func welcomeWaitsForTheOtherNodesAnswer() throws {
        var (state, claim, number) = try makeClaiming()
        #expect(state.actions { $0.published(number, receivers: 1, now: .ms(1001), into: &$1) } == [])
        #expect(answer(claim, .clearing, &state) == [])
        #expect(answer(claim, .free(sessions: 0), &state) == [.send(1, .welcome)])
        #expect(answer(claim, .free(sessions: 0), &state) == [])
    }

    @Test func welcomeWaitsForAnAnswerForASecond() throws {
        var (state, _, number) = try makeClaiming()
        _ = state.actions { $0.published(number, receivers: 1, now: .ms(1001), into: &$1) }
        #expect(!state.timerFires(at: .ms(1999)).contains(.send(1, .welcome)))
        let late = state.timerFires(at: .ms(2000))
        #expect(late.contains(.send(1, .welcome)))
        // The claim or the answer may be lost.
        #expect(claims(late).count == 1)
    }

    @Test func secondDeviceIsClaimedWithoutAnotherSubscription() throws {
        var (state, _, number) = try makeClaiming()
        _ = state.actions { $0.published(number, receivers: 0, now: .ms(1001), into: &$1) }
        let actions = state.actions { $0.connected(.number(2), laptop, now: .ms(1002), into: &$1) }
        #expect(actions.subscribed == [])
        #expect(claims(actions).map(\.key) == [laptop])
    }

    @Test func sessionsOnAllNodesCount() throws {
        var (state, claim, number) = try makeClaiming()
        _ = state.actions { $0.published(number, receivers: 1, now: .ms(1001), into: &$1) }
        let actions = answer(claim, .free(sessions: Limits().sessionsPerUserMax), &state)
        #expect(actions == [.send(1, .close(.connectionLimit))])
    }

    @Test func withoutBusSessionIsWelcomedAtOnce() {
        var state = HubState(node: .a)
        #expect(
            state.actions { $0.connected(.number(1), phone, now: .ms(1000), into: &$1) } == [.send(1, .welcome)])
    }

    @Test func lostLinkEndsTheWait() throws {
        var (state, claim, number) = try makeClaiming()
        _ = state.actions { $0.published(number, receivers: 1, now: .ms(1001), into: &$1) }
        let actions = state.actions { $0.busLost(now: .ms(1002), into: &$1) }
        #expect(actions.contains(.send(1, .welcome)))
        #expect(answer(claim, .free(sessions: 0), &state) == [])
        #expect(!state.timerFires(at: .ms(2000)).contains(.send(1, .welcome)))
    }

    // MARK: Another node's claim

    /// The client has moved, and must not come back.
    @Test func laterSessionOfAnotherNodeClosesThisOne() {
        var state = HubState.makeOnBus(.alice)
        let actions = state.hear(claim(phone, at: 5000), to: .user(.alice), now: .ms(5000))
        #expect(closes(actions) == [.send(1, .close(.replaced))])
        #expect(answers(actions) == [.clearing])
    }

    /// Two clients with one device at nearly the same time: which of them is newer isn't known beyond doubt.
    @Test func sessionOfNearlyTheSameTimeMayComeBack() {
        var state = HubState.makeOnBus(.alice)
        let actions = state.hear(claim(phone, at: 200), to: .user(.alice), now: .ms(1000))
        #expect(closes(actions) == [.send(1, .close(.serviceRestart))])
        #expect(answers(actions) == [.clearing])
    }

    @Test func nameIsFreeWhenTheClosedSessionHasLeftItsRooms() {
        var state = HubState.makeOnBus(.alice)
        _ = state.hear(claim(phone, at: 1000), to: .user(.alice), now: .ms(1000))
        let ended = state.actions { $0.disconnected(.number(1), phone, rooms: 1, now: .ms(1010), into: &$1) }
        #expect(answers(ended) == [])
        let left = state.actions { $0.roomCleared(.number(1), phone, now: .ms(1020), into: &$1) }
        #expect(answers(left) == [.free(sessions: 0)])
    }

    @Test func earlierSessionOfAnotherNodeIsOutranked() {
        var state = HubState.makeOnBus(.alice)
        let actions = state.hear(claim(phone, at: -5000), to: .user(.alice), now: .ms(1000))
        #expect(closes(actions) == [])
        guard case .outranked(_, let age)? = answers(actions).first else {
            Issue.record("\(actions)")
            return
        }
        #expect(age == 1000)
    }

    @Test func otherDevicesOfTheUserStayAndAreCounted() {
        var state = HubState.makeOnBus(.alice)
        let actions = state.hear(claim(laptop, at: 1000), to: .user(.alice), now: .ms(1000))
        #expect(closes(actions) == [])
        #expect(answers(actions) == [.free(sessions: 1)])
    }

    /// Who may publish to one user's topic can't speak for another.
    @Test func claimOnAnotherUsersTopicIsIgnored() {
        var state = HubState.makeOnBus(.alice)
        #expect(state.hear(claim(phone, at: 1000), to: .user(.bob), now: .ms(1000)) == [])
    }

    // MARK: Sessions that are ending

    @Test func closedSessionIsNotClosedAgain() {
        var state = HubState.makeOnBus(.alice)
        _ = state.hear(claim(phone, at: 1000), to: .user(.alice), now: .ms(1000))
        let again = state.hear(claim(phone, at: 1010, of: .c), to: .user(.alice), from: .c, now: .ms(1010))
        #expect(closes(again) == [])
        #expect(answers(again, to: .c) == [.clearing])
        _ = state.actions { $0.disconnected(.number(1), phone, rooms: 1, now: .ms(1020), into: &$1) }
        let left = state.actions { $0.roomCleared(.number(1), phone, now: .ms(1020), into: &$1) }
        #expect(answers(left) == [.free(sessions: 0)])
        #expect(answers(left, to: .c) == [.free(sessions: 0)])
    }

    @Test func replacedSessionIsNotClosedAgain() throws {
        var state = HubState.makeOnBus(.alice)
        let replaced = state.actions { $0.connected(.number(2), phone, now: .ms(1000), into: &$1) }
        #expect(closes(replaced) == [.send(1, .close(.replaced))])
        let claimed = state.hear(claim(phone, at: 1000), to: .user(.alice), now: .ms(1001))
        #expect(closes(claimed) == [])
        #expect(answers(claimed) == [.clearing])
        // The successor is claimed when its predecessor has left the rooms, and not before.
        let ended = state.actions { $0.disconnected(.number(1), phone, rooms: 1, now: .ms(1010), into: &$1) }
        #expect(claims(ended) == [])
        let left = state.actions { $0.roomCleared(.number(1), phone, now: .ms(1020), into: &$1) }
        #expect(answers(left) == [.free(sessions: 0)])
        let own = try #require(claims(left).first)
        guard case .claim(let other) = claim(phone, at: 1000) else { return }
        #expect(own.stamp > other.stamp)
    }

    // MARK: After an outage

    @Test func sessionsAreClaimedAgainAfterAnOutage() {
        var state = HubState.makeOnBus(.alice)
        _ = state.actions { $0.busLost(now: .ms(2000), into: &$1) }
        _ = state.actions { $0.connected(.number(2), .of(.bob), now: .ms(2000), into: &$1) }
        let topics = state.actions { $0.busRestored(at: .ms(3000), now: .ms(3000), into: &$1) }.subscribed
        #expect(topics.count == 3)
        let asked = state.confirm(topics, now: .ms(3010))
        #expect(asked.contains(.send(1, .measureIdle(.claim(phone)))))
        #expect(asked.contains(.send(2, .measureIdle(.claim(.of(.bob))))))
        let measured = state.actions { $0.idleMeasured(.number(1), 500, .claim(phone), now: .ms(3011), into: &$1) }
        #expect(claims(measured).map(\.kind) == [.again(idle: 500)])
        // Nobody waits for an answer.
        #expect(measured.numbers == [])
    }

    /// The client that was heard more recently stays.
    @Test func idlerSessionOfTwoMayComeBackAfterAnOutage() {
        var state = HubState.makeOnBus(.alice)
        guard case .claim(var theirs) = claim(phone, at: 1000) else { return }
        theirs.kind = .again(idle: 100)
        let asked = state.hear(.claim(theirs), to: .user(.alice), now: .ms(1000))
        let purpose = SessionClaims.IdlePurpose.settle(theirs, from: .b)
        #expect(asked == [.send(1, .measureIdle(purpose))])
        let settled = state.actions { $0.idleMeasured(.number(1), 5000, purpose, now: .ms(1001), into: &$1) }
        #expect(closes(settled) == [.send(1, .close(.serviceRestart))])
        #expect(answers(settled) == [.clearing])
    }

    @Test func livelierSessionOfTwoStaysAfterAnOutage() {
        var state = HubState.makeOnBus(.alice)
        guard case .claim(var theirs) = claim(phone, at: 1000) else { return }
        theirs.kind = .again(idle: 5000)
        let purpose = SessionClaims.IdlePurpose.settle(theirs, from: .b)
        _ = state.hear(.claim(theirs), to: .user(.alice), now: .ms(1000))
        let settled = state.actions { $0.idleMeasured(.number(1), 100, purpose, now: .ms(1001), into: &$1) }
        #expect(closes(settled) == [])
        #expect(answers(settled) == [.outlived])
    }
}
