import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubStore
@testable import gohubd

/// What a hub with a bus does about its link, and about what it hears of its peers.
@Suite struct MembershipBusTests {
    private let own: NodeID
    private let b: NodeID
    private let limits = ClusterLimits()
    private var membership: Membership
    private let up = NodeStatus(isBusHealthy: true, busID: "one")
    private let down = NodeStatus(isBusHealthy: false)

    init() throws {
        own = try Self.node("a", 1)
        b = try Self.node("b", 11)
        membership = Membership(own: own, hasBus: true)
    }

    private static func node(_ name: String, _ life: UInt64) throws -> NodeID {
        try NodeID(name: #require(NodeName(name)), incarnation: #require(NodeIncarnation(life)))
    }

    private static func at(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    /// An answer to a renewal, with the lease of `b` renewed some seconds ago; `nil` if it has none.
    private func answer(
        at seconds: UInt64, leaseAge: UInt64?, _ status: NodeStatus
    ) -> Result<NodeRenewal.Answer, StoreError> {
        let now = StoreTime(milliseconds: Int64(seconds) * 1_000)
        let until = now + limits.lease
        var rows = [NodeRow(own, leaseEnd: until)]
        if let leaseAge {
            let end = StoreTime(milliseconds: until.milliseconds - Int64(leaseAge) * 1_000)
            rows.append(NodeRow(b, leaseEnd: end, status))
        }
        return .success(
            NodeRenewal.Answer(
                outcome: .granted(until: until), reading: RegistryReading(now: now, rows: rows),
                placementKey: PlacementKey(low: 1, high: 2), directNews: DirectNews.Cursor("start")))
    }

    private func beat(_ status: NodeStatus? = nil, ahead milliseconds: Int64 = 0) -> ClusterFrame {
        let beat = NodeBeat(b.name, status ?? up, sessions: 0, rooms: 0, wall: .ms(milliseconds))
        return ClusterFrame(from: b.incarnation, time: HybridTime(value: 1), topic: .all, .beat(beat))
    }

    private mutating func hear(_ message: ClusterMessage, at seconds: UInt64) -> [Membership.Action] {
        let frame = ClusterFrame(from: b.incarnation, time: HybridTime(value: 1), topic: .all, message)
        return membership.received(frame, now: Self.at(seconds), at: .ms(0))
    }

    /// Ticks each second, after a beat of `b` if it beats. Renewals are answered with the row of `b`, which is as old
    /// as `leaseAge` says; `nil` for none.
    ///
    /// - Returns: the actions but the renewals.
    private mutating func run(
        _ seconds: ClosedRange<UInt64>, isBeating: Bool = true, rowStatus: NodeStatus? = nil, leaseAge: UInt64? = 0
    ) -> [Membership.Action] {
        var actions: [Membership.Action] = []
        for second in seconds {
            if isBeating { actions += membership.received(beat(), now: Self.at(second), at: .ms(0)) }
            for action in membership.ticked(isDraining: false, now: Self.at(second)) {
                guard case .renew = action else {
                    actions.append(action)
                    continue
                }
                let answer = answer(at: second, leaseAge: leaseAge, rowStatus ?? up)
                actions += membership.renewed(answer, now: Self.at(second))
            }
        }
        return actions
    }

    private func views(_ actions: [Membership.Action]) -> [ClusterView] {
        actions.compactMap { if case .update(let view) = $0 { view } else { nil } }
    }

    private func standings(_ actions: [Membership.Action]) -> [NodeStanding] {
        actions.compactMap { if case .log(.standing(let standing)) = $0 { standing } else { nil } }
    }

    private mutating func link(isUp: Bool, at seconds: UInt64, busID: String = "one") -> [Membership.Action] {
        membership.linkChanged(isUp: isUp, busID: busID, now: Self.at(seconds))
    }

    // MARK: The own link

    @Test mutating func nodeBeatsEachSecondWhileTheLinkIsUp() {
        #expect(!run(1...3, isBeating: false, leaseAge: nil).contains(.beat(down)))
        // At once, and then each second.
        #expect(link(isUp: true, at: 3).contains(.beat(up)))
        let beats = run(4...6, isBeating: false, leaseAge: nil).filter { $0 == .beat(up) }
        #expect(beats.count == 3)
        #expect(!link(isUp: false, at: 6).contains { if case .beat = $0 { true } else { false } })
        let silent = run(7...9, isBeating: false, leaseAge: nil)
        #expect(!silent.contains { if case .beat = $0 { true } else { false } })
    }

    @Test mutating func rowTellsOfTheLinkAtOnce() {
        #expect(membership.ticked(isDraining: false, now: Self.at(1)) == [.renew(down)])
        _ = membership.renewed(answer(at: 1, leaseAge: nil, up), now: Self.at(1))
        #expect(membership.ticked(isDraining: false, now: Self.at(2)) == [])
        _ = link(isUp: true, at: 2)
        #expect(membership.ticked(isDraining: false, now: Self.at(3)).contains(.renew(up)))
        _ = membership.renewed(answer(at: 3, leaseAge: nil, up), now: Self.at(3))
        _ = link(isUp: false, at: 3)
        #expect(membership.ticked(isDraining: false, now: Self.at(4)) == [.renew(down)])
    }

    /// What this node has stored meanwhile, it has not published. Its shards go on publishing before the tick.
    @Test mutating func returnIsToldAtTheNextTick() {
        _ = run(1...1, isBeating: false, leaseAge: nil)
        #expect(!link(isUp: true, at: 2).contains(.tellReturn))
        #expect(membership.ticked(isDraining: false, now: Self.at(3)).contains(.tellReturn))
        #expect(!membership.ticked(isDraining: false, now: Self.at(4)).contains(.tellReturn))
        _ = link(isUp: false, at: 5)
        _ = link(isUp: true, at: 5)
        #expect(membership.ticked(isDraining: false, now: Self.at(6)).contains(.tellReturn))
    }

    @Test mutating func returnThatEndsBeforeTheTickIsNotTold() {
        _ = run(1...1, isBeating: false, leaseAge: nil)
        _ = link(isUp: true, at: 2)
        _ = link(isUp: false, at: 2)
        #expect(!membership.ticked(isDraining: false, now: Self.at(3)).contains(.tellReturn))
    }

    // MARK: Who hears whom

    @Test mutating func busIsUsedWhileTheLinkIsUp() {
        #expect(views(run(1...2)).last?.hasBus == false)
        #expect(views(link(isUp: true, at: 3)).last?.hasBus == true)
        #expect(views(link(isUp: false, at: 4)).last?.hasBus == false)
    }

    @Test mutating func busIsNotEnoughWhileAPeerIsSuspect() {
        let first = views(run(1...2) + link(isUp: true, at: 2) + run(3...10)).last
        #expect(first?.hasBus == true)
        // Its row is renewed.
        #expect(views(run(11...13, isBeating: false)) == [])
        let suspect = views(run(14...14, isBeating: false)).last
        #expect(suspect?.hasBus == false)
        #expect(suspect?.answering == [])
        #expect(suspect?.silent == [b.incarnation])
        // Perhaps it has just died.
        #expect(suspect?.comparisons == first.map { $0.comparisons + 1 })
        let back = views(run(15...15)).last
        #expect(back?.hasBus == true)
        #expect(back?.answering == [b.incarnation])
    }

    /// It is alive by its row, and can't tell what it stores.
    @Test mutating func busIsNotEnoughWhileAPeerIsCutOff() {
        _ = run(1...2)
        _ = link(isUp: true, at: 2)
        _ = run(3...10)
        let views = views(run(11...60, isBeating: false))
        #expect(views.last?.hasBus == false)
        #expect(views.last?.peers == [b.name])
        #expect(views.last?.silent == [b.incarnation])
    }

    @Test mutating func busIsEnoughAgainWhenTheSilentPeerIsGone() {
        _ = run(1...2)
        _ = link(isUp: true, at: 2)
        _ = run(3...10)
        var actions: [Membership.Action] = []
        // The last renewal was at 10.
        for second in 11...60 as ClosedRange<UInt64> {
            actions += run(second...second, isBeating: false, leaseAge: second - 10)
        }
        #expect(actions.contains(.log(.isGone(b))))
        #expect(views(actions).last?.hasBus == true)
        #expect(views(actions).last?.peers == [])
    }

    // MARK: Comparisons

    /// If it had another life, that may have stored something that it didn't tell.
    @Test mutating func newPeerMakesAllRoomsBeCompared() {
        _ = run(1...1, isBeating: false, leaseAge: nil)
        _ = link(isUp: true, at: 1)
        let actions = membership.received(beat(), now: Self.at(2), at: .ms(0))
        #expect(actions.first == .log(.appeared(b)))
        #expect(views(actions).map(\.comparisons) == [1])
        // It is known now.
        #expect(membership.received(beat(), now: Self.at(3), at: .ms(0)) == [])
    }

    @Test mutating func returnOfAPeersLinkMakesAllRoomsBeCompared() {
        _ = run(1...1)
        _ = link(isUp: true, at: 1)
        let before = views(run(2...5)).last?.comparisons ?? 1
        #expect(views(hear(.returned, at: 6)).map(\.comparisons) == [before + 1])
    }

    @Test mutating func goodbyeOfAPeerMakesAllRoomsBeCompared() {
        _ = run(1...1)
        _ = link(isUp: true, at: 1)
        _ = run(2...5)
        let actions = hear(.bye, at: 6)
        #expect(actions.first == .log(.isGone(b)))
        #expect(views(actions).map(\.peers) == [[]])
        // Its late words don't revive it.
        #expect(membership.received(beat(), now: Self.at(7), at: .ms(0)) == [])
    }

    // MARK: Standing

    @Test mutating func standingIsLoggedOnceWhenItHasLastedForATick() {
        _ = run(1...1, isBeating: false, leaseAge: nil)
        _ = link(isUp: true, at: 1)
        #expect(standings(run(2...2)) == [])
        #expect(standings(run(3...3)) == [.connected])
        #expect(standings(run(4...20)) == [])
    }

    @Test mutating func nodeOnAnotherBusThanTheOthersIsCutOff() {
        _ = run(1...1)
        _ = link(isUp: true, at: 1)
        _ = run(2...10)
        #expect(standings(run(11...60, isBeating: false)) == [.cutOff])
        #expect(standings(run(61...70)) == [.connected])
    }

    @Test mutating func peerOnAnotherBusIsLogged() {
        _ = run(1...1)
        _ = link(isUp: true, at: 1)
        let other = NodeStatus(isBusHealthy: true, busID: "two")
        #expect(standings(run(2...20, rowStatus: other)).last == .degraded)
    }

    @Test mutating func lossOfTheOwnLinkIsLogged() {
        _ = run(1...1)
        _ = link(isUp: true, at: 1)
        #expect(standings(run(2...10)) == [.connected])
        _ = link(isUp: false, at: 10)
        #expect(standings(run(11...20, isBeating: false)) == [.cutOff])
        _ = link(isUp: true, at: 20)
        #expect(standings(run(21...30)) == [.connected])
    }

    @Test mutating func linkThatComesBackAtOnceIsNoNews() {
        _ = run(1...1)
        _ = link(isUp: true, at: 1)
        _ = run(2...10)
        _ = link(isUp: false, at: 10)
        _ = link(isUp: true, at: 10)
        #expect(standings(run(11...20)) == [])
    }

    @Test mutating func withoutBusStandingIsNotLogged() {
        membership = Membership(own: own)
        let actions = run(1...60, isBeating: false, rowStatus: NodeStatus())
        #expect(standings(actions) == [])
        #expect(!actions.contains { if case .beat = $0 { true } else { false } })
        #expect(views(actions).allSatisfy { !$0.hasBus })
    }

    // MARK: Clocks

    private mutating func differences(ahead milliseconds: Int64, at seconds: UInt64) -> [Int64] {
        membership.received(beat(ahead: milliseconds), now: Self.at(seconds), at: .ms(0)).compactMap {
            if case .log(.clockDiffers(b, let difference)) = $0 { difference } else { nil }
        }
    }

    @Test mutating func clockThatDiffersIsLoggedOnce() {
        _ = run(1...1)
        _ = link(isUp: true, at: 1)
        #expect(differences(ahead: 1_000, at: 2) == [])
        #expect(differences(ahead: -1_000, at: 3) == [])
        #expect(differences(ahead: -1_001, at: 4) == [-1_001])
        #expect(differences(ahead: -1_001, at: 5) == [])
        #expect(differences(ahead: 5_000, at: 6) == [])
    }
}
