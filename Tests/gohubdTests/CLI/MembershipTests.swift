import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubStore
@testable import gohubd

/// What a hub does about its name and its peers, as a dialogue on a clock of the test.
@Suite struct MembershipTests {
    private let own: NodeID
    private let limits = ClusterLimits()
    private var membership: Membership

    init() throws {
        own = try Self.node("a", 1)
        membership = Membership(own: own)
    }

    /// Without peers.
    /// The place in the list of direct news that the database gives with the name stays in all views.
    private func view(peers: [NodeName] = [], comparisons: UInt64 = 0) -> ClusterView {
        ClusterView(peers: peers, comparisons: comparisons, directNews: DirectNews.Cursor("start"))
    }

    private var isJoined: [Membership.Action] { [.log(.joined(own)), .update(view()), .joined] }

    private static func node(_ name: String, _ life: UInt64) throws -> NodeID {
        try NodeID(name: #require(NodeName(name)), incarnation: #require(NodeIncarnation(life)))
    }

    private static func at(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    private static func clock(_ seconds: UInt64) -> StoreTime { StoreTime(milliseconds: Int64(seconds) * 1_000) }

    /// An answer at a time, with leases that were renewed some seconds ago.
    private func answer(
        at seconds: UInt64, isLate: Bool = false, others: [NodeID: UInt64] = [:]
    ) -> Result<NodeRenewal.Answer, StoreError> {
        let until = Self.clock(seconds) + limits.lease
        let rows =
            [NodeRow(own, leaseEnd: until)]
            + others.map {
                NodeRow($0.key, leaseEnd: StoreTime(milliseconds: until.milliseconds - Int64($0.value) * 1_000))
            }
        return .success(
            NodeRenewal.Answer(
                outcome: isLate ? .grantedLate(until: until) : .granted(until: until),
                reading: RegistryReading(now: Self.clock(seconds), rows: rows.sorted { $0.node < $1.node }),
                placementKey: PlacementKey(low: 1, high: 2),
                directNews: DirectNews.Cursor("start")))
    }

    private func refusal(by node: NodeID, until: UInt64, at seconds: UInt64) -> Result<NodeRenewal.Answer, StoreError> {
        .success(
            NodeRenewal.Answer(
                outcome: .refused(by: node, until: Self.clock(until)),
                reading: RegistryReading(
                    now: Self.clock(seconds), rows: [NodeRow(node, leaseEnd: Self.clock(until))]),
                placementKey: PlacementKey(low: 1, high: 2),
                directNews: DirectNews.Cursor("start")))
    }

    /// Ticks, and renews each time that it is asked to, with the peers that then live.
    ///
    /// - Returns: the other actions.
    private mutating func run(
        _ seconds: ClosedRange<UInt64>, peers: (UInt64) -> [NodeID: UInt64] = { _ in [:] }
    ) -> [Membership.Action] {
        var actions: [Membership.Action] = []
        for second in seconds {
            for action in membership.ticked(isDraining: false, now: Self.at(second)) {
                guard case .renew = action else {
                    actions.append(action)
                    continue
                }
                actions += membership.renewed(answer(at: second, others: peers(second)), now: Self.at(second))
            }
        }
        return actions
    }

    // MARK: The name

    @Test mutating func grantedNameIsRenewedEveryFiveSeconds() {
        #expect(membership.ticked(isDraining: false, now: Self.at(1)) == [.renew(NodeStatus())])
        // One at a time.
        #expect(membership.ticked(isDraining: false, now: Self.at(2)) == [])
        #expect(membership.renewed(answer(at: 2), now: Self.at(2)) == isJoined)
        for second in 3..<7 as Range<UInt64> {
            #expect(membership.ticked(isDraining: false, now: Self.at(second)) == [])
        }
        #expect(membership.ticked(isDraining: false, now: Self.at(7)) == [.renew(NodeStatus())])
        #expect(membership.renewed(answer(at: 7), now: Self.at(7)) == [])
    }

    /// A process that was killed leaves its lease behind.
    @Test mutating func nameOfADeadLifeIsWaitedFor() throws {
        let dead = try Self.node("a", 2)
        _ = membership.ticked(isDraining: false, now: Self.at(1))
        #expect(
            membership.renewed(refusal(by: dead, until: 3, at: 1), now: Self.at(1)) == [.log(.waitsForName(dead))])
        #expect(membership.ticked(isDraining: false, now: Self.at(2)) == [.renew(NodeStatus())])
        #expect(membership.renewed(refusal(by: dead, until: 3, at: 2), now: Self.at(2)) == [])
        #expect(membership.ticked(isDraining: false, now: Self.at(3)) == [.renew(NodeStatus())])
        #expect(membership.renewed(answer(at: 3), now: Self.at(3)) == isJoined)
    }

    private static let isLive =
        Membership.Action.end(
            "Another hub with the node name a is live in this database. Give each hub its own `node`.")

    @Test mutating func nameOfALiveNodeIsRefused() throws {
        let other = try Self.node("a", 2)
        _ = membership.ticked(isDraining: false, now: Self.at(1))
        _ = membership.renewed(refusal(by: other, until: 10, at: 1), now: Self.at(1))
        _ = membership.ticked(isDraining: false, now: Self.at(2))
        // It has renewed its lease.
        #expect(membership.renewed(refusal(by: other, until: 11, at: 2), now: Self.at(2)) == [Self.isLive])
        #expect(membership.ticked(isDraining: false, now: Self.at(3)) == [])
    }

    @Test mutating func nameThatAnotherGetsFirstIsRefused() throws {
        _ = membership.ticked(isDraining: false, now: Self.at(1))
        _ = membership.renewed(refusal(by: try Self.node("a", 2), until: 10, at: 1), now: Self.at(1))
        _ = membership.ticked(isDraining: false, now: Self.at(2))
        let other = try Self.node("a", 3)
        #expect(membership.renewed(refusal(by: other, until: 9, at: 2), now: Self.at(2)) == [Self.isLive])
    }

    @Test mutating func nameTakenInMidLifeEndsTheHub() throws {
        let other = try Self.node("a", 2)
        _ = run(1...1)
        _ = membership.ticked(isDraining: false, now: Self.at(30))
        #expect(
            membership.renewed(refusal(by: other, until: 40, at: 30), now: Self.at(30)) == [.log(.waitsForName(other))])
        _ = membership.ticked(isDraining: false, now: Self.at(31))
        // It has renewed its lease.
        let actions = membership.renewed(refusal(by: other, until: 41, at: 31), now: Self.at(31))
        guard case .end(let reason)? = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
        #expect(reason.hasPrefix("Another hub has taken the node name a,"))
    }

    /// A replica that was behind has become the primary. It has the row of this node's earlier life, and not its own.
    @Test mutating func rowOfAnEarlierLifeAfterAFailoverEndsNobody() throws {
        let earlier = try Self.node("a", 2)
        _ = run(1...1)
        _ = membership.ticked(isDraining: false, now: Self.at(6))
        _ = membership.renewed(refusal(by: earlier, until: 8, at: 6), now: Self.at(6))
        _ = membership.ticked(isDraining: false, now: Self.at(7))
        #expect(membership.renewed(refusal(by: earlier, until: 8, at: 7), now: Self.at(7)) == [])
        #expect(membership.ticked(isDraining: false, now: Self.at(8)) == [.renew(NodeStatus())])
        #expect(membership.renewed(answer(at: 8), now: Self.at(8)) == [])
        // The next refusal is another matter.
        _ = membership.ticked(isDraining: false, now: Self.at(20))
        #expect(
            membership.renewed(refusal(by: earlier, until: 30, at: 20), now: Self.at(20))
                == [.log(.waitsForName(earlier))])
    }

    @Test mutating func fullClusterIsAnError() {
        _ = membership.ticked(isDraining: false, now: Self.at(1))
        let full = NodeRenewal.Answer(
            outcome: .full, reading: RegistryReading(now: Self.clock(1), rows: []),
            placementKey: PlacementKey(low: 1, high: 2),
            directNews: DirectNews.Cursor("start"))
        guard case .end(let reason)? = membership.renewed(.success(full), now: Self.at(1)).first else {
            Issue.record("goes on")
            return
        }
        #expect(reason.hasPrefix("The database has 256 live hubs"))
    }

    // MARK: The database

    @Test mutating func unreachableDatabaseIsTriedAgainAndLoggedOnce() {
        let error = StoreError(.unavailable, "away")
        var actions: [Membership.Action] = []
        for second in 1...5 as ClosedRange<UInt64> {
            #expect(membership.ticked(isDraining: false, now: Self.at(second)) == [.renew(NodeStatus())])
            actions += membership.renewed(.failure(error), now: Self.at(second))
        }
        #expect(actions == [.log(.failed(error))])
        #expect(run(6...6) == isJoined)
    }

    /// Waiting doesn't change a schema.
    @Test mutating func unusableDatabaseEndsTheStart() {
        _ = membership.ticked(isDraining: false, now: Self.at(1))
        #expect(
            membership.renewed(.failure(StoreError(.incompatible, "too new")), now: Self.at(1)) == [.end("too new")])
    }

    @Test mutating func unusableDatabaseInMidLifeIsTriedAgain() {
        _ = run(1...1)
        _ = membership.ticked(isDraining: false, now: Self.at(6))
        let error = StoreError(.incompatible, "too new")
        #expect(membership.renewed(.failure(error), now: Self.at(6)) == [.log(.failed(error))])
        #expect(membership.ticked(isDraining: false, now: Self.at(7)) == [.renew(NodeStatus())])
    }

    @Test mutating func drainIsToldAtOnce() {
        _ = run(1...2)
        #expect(membership.ticked(isDraining: true, now: Self.at(3)) == [.renew(NodeStatus(isDraining: true))])
        _ = membership.renewed(answer(at: 3), now: Self.at(3))
        #expect(membership.ticked(isDraining: true, now: Self.at(4)) == [])
    }

    // MARK: Peers

    @Test mutating func peersAreToldWhenTheyChange() throws {
        let (b, c) = (try Self.node("b", 11), try Self.node("c", 12))
        let first = run(1...1) { _ in [c: 0, b: 1] }
        #expect(
            first == [
                .log(.joined(own)), .log(.appeared(b)), .log(.appeared(c)),
                .update(view(peers: [b.name, c.name])), .joined,
            ])
        // They renew, and nothing changes.
        #expect(run(2...60) { _ in [c: 0, b: 1] } == [])
    }

    /// It may have stored something just before.
    @Test mutating func deadPeerMakesAllRoomsBeCompared() throws {
        let b = try Self.node("b", 11)
        #expect(run(1...30) { _ in [b: 0] }.count == 4)
        // The last renewal was at 26.
        let actions = run(31...60) { [b: $0 - 26] }
        #expect(actions == [.log(.isGone(b)), .update(view(peers: [], comparisons: 1))])
        #expect(run(61...120) == [])
    }

    @Test mutating func nextLifeOfAPeerMakesAllRoomsBeCompared() throws {
        let (before, after) = (try Self.node("b", 11), try Self.node("b", 13))
        _ = run(1...30) { _ in [before: 0] }
        let actions = run(31...40) { _ in [after: 0] }
        #expect(actions.last == .update(view(peers: [before.name], comparisons: 1)))
        #expect(Set(actions.dropLast()) == [.log(.isGone(before)), .log(.appeared(after))])
    }

    @Test mutating func ownLateRenewalMakesAllRoomsBeCompared() throws {
        _ = run(1...1)
        _ = membership.ticked(isDraining: false, now: Self.at(60))
        #expect(
            membership.renewed(answer(at: 60, isLate: true), now: Self.at(60)) == [
                .log(.renewedLate), .update(view(comparisons: 1)),
            ])
    }

    /// Who reads nothing judges nobody.
    @Test mutating func peersOutliveAnAbsentDatabase() throws {
        let b = try Self.node("b", 11)
        _ = run(1...30) { _ in [b: 0] }
        for second in 31...90 as ClosedRange<UInt64> {
            for action in membership.ticked(isDraining: false, now: Self.at(second)) {
                guard case .renew = action else {
                    Issue.record("\(action)")
                    continue
                }
                let actions = membership.renewed(.failure(StoreError("away")), now: Self.at(second))
                #expect(actions.allSatisfy { if case .log(.failed) = $0 { true } else { false } })
            }
        }
        // The first reading shows a lease that has ended, through nobody's fault.
        _ = membership.ticked(isDraining: false, now: Self.at(91))
        let actions = membership.renewed(answer(at: 91, isLate: true, others: [b: 60]), now: Self.at(91))
        #expect(actions == [.log(.renewedLate), .update(view(peers: [b.name], comparisons: 1))])
        #expect(run(92...120) { _ in [b: 0] } == [])
    }
}
