import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Node a judges its peers, by what it hears on the bus and reads in the database.
struct PeerRegistryTests {
    private var peers = PeerRegistry(own: .a, limits: ClusterLimits())
    private var database = NodeRegistry(limits: ClusterLimits())
    /// The database's clock is not the node's.
    private let databaseOffset: Int64 = 1_000_000

    private func storeTime(_ milliseconds: UInt64) -> StoreTime {
        StoreTime(milliseconds: Int64(milliseconds) + databaseOffset)
    }

    private mutating func renew(_ node: NodeID, at milliseconds: UInt64, _ status: NodeStatus = NodeStatus()) {
        _ = database.renew(node, status, now: storeTime(milliseconds))
    }

    /// Renews the own row and reads all.
    private mutating func read(at milliseconds: UInt64) -> [PeerChange] {
        renew(.a, at: milliseconds)
        var changes: [PeerChange] = []
        let reading = database.read(now: storeTime(milliseconds))
        #expect(peers.registryRead(reading, now: .ms(milliseconds), into: &changes) == nil)
        return changes
    }

    private mutating func tick(_ milliseconds: UInt64) -> [PeerChange] {
        var changes: [PeerChange] = []
        peers.ticked(now: .ms(milliseconds), into: &changes)
        return changes
    }

    private mutating func hear(_ node: NodeID, at milliseconds: UInt64) -> [PeerChange] {
        var changes: [PeerChange] = []
        peers.heard(node, now: .ms(milliseconds), into: &changes)
        return changes
    }

    private mutating func link(_ isHealthy: Bool?, at milliseconds: UInt64, busID: String? = nil) {
        peers.linkChanged(NodeStatus(isBusHealthy: isHealthy, busID: busID), now: .ms(milliseconds))
    }

    /// Runs a second at a time, up to and including `end`: ticks, the own renewal and reading each five seconds, and
    /// what peers do.
    private mutating func run(
        from start: UInt64 = 0, to end: UInt64, readEvery: UInt64? = 5_000, beats: [NodeID] = [],
        renewals: [NodeID] = []
    ) -> [PeerChange] {
        var changes: [PeerChange] = []
        for second in stride(from: start, through: end, by: 1_000) {
            for node in beats { changes += hear(node, at: second) }
            if second % 5_000 == 0 { for node in renewals { renew(node, at: second) } }
            if let readEvery, second % readEvery == 0 { changes += read(at: second) }
            changes += tick(second)
            if peers.wantsReading { changes += read(at: second) }
        }
        return changes
    }

    // MARK: On the bus

    @Test mutating func heardNodeIsLive() {
        link(true, at: 0)
        #expect(hear(.b, at: 10) == [.appeared(.b)])
        #expect(peers.health(of: .b) == .live)
        #expect(peers.present == [.b] && peers.answering == [.b])
        #expect(peers.mustPoll == false)
    }

    @Test mutating func silentNodeIsSuspectAndComesBack() {
        link(true, at: 0)
        _ = hear(.b, at: 0)
        #expect(tick(3_000) == [])
        #expect(tick(4_000) == [.changed(.b, from: .live, to: .suspect)])
        #expect(peers.answering == [] && peers.present == [.b])
        #expect(hear(.b, at: 5_000) == [.changed(.b, from: .suspect, to: .live)])
    }

    @Test mutating func killedNodeIsDeadAfterTenSeconds() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        #expect(run(from: 21_000, to: 29_000) == [.changed(.b, from: .live, to: .suspect)])
        #expect(run(from: 30_000, to: 30_000) == [.changed(.b, from: .suspect, to: .dead)])
        #expect(peers.present == [])
    }

    /// Its last reading was just before the silence was long enough.
    @Test mutating func rowsAreReadAgainBeforeANodeIsJudged() {
        link(true, at: 0)
        _ = run(to: 22_000, beats: [.b], renewals: [.b])
        var changes: [PeerChange] = []
        for second in stride(from: 23_000 as UInt64, through: 32_000, by: 1_000) {
            if second == 25_000 { changes += read(at: second) }
            changes += tick(second)
        }
        #expect(peers.health(of: .b) == .suspect && peers.wantsReading)
        #expect(read(at: 32_000) == [.changed(.b, from: .suspect, to: .dead)])
        #expect(!peers.wantsReading)
    }

    @Test mutating func silentNodeThatRenewsItsLeaseIsCutOff() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        #expect(
            run(from: 21_000, to: 60_000, renewals: [.b]) == [
                .changed(.b, from: .live, to: .suspect), .changed(.b, from: .suspect, to: .cutOff),
            ])
        #expect(peers.present == [.b] && peers.answering == [])
        #expect(peers.mustPoll)
        #expect(hear(.b, at: 61_000) == [.changed(.b, from: .cutOff, to: .live)])
        #expect(!peers.mustPoll)
    }

    @Test mutating func cutOffNodeIsDeadWhenItsLeaseEnds() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        _ = run(from: 21_000, to: 40_000, renewals: [.b])
        #expect(peers.health(of: .b) == .cutOff)
        #expect(run(from: 41_000, to: 54_000) == [])
        #expect(run(from: 55_000, to: 56_000) == [.changed(.b, from: .cutOff, to: .dead)])
    }

    @Test mutating func cutOffNodeIsNotJudgedWhileTheDatabaseIsAway() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        _ = run(from: 21_000, to: 40_000, renewals: [.b])
        peers.registryFailed()
        #expect(run(from: 41_000, to: 120_000, readEvery: nil) == [])
        #expect(peers.health(of: .b) == .cutOff)
    }

    @Test mutating func silentNodeIsDeadWhenTheDatabaseIsAway() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        peers.registryFailed()
        #expect(
            run(from: 21_000, to: 60_000, readEvery: nil) == [
                .changed(.b, from: .live, to: .suspect), .changed(.b, from: .suspect, to: .dead),
            ])
    }

    @Test mutating func deadNodeThatRenewsItsLeaseIsCutOffAndLiveWhenHeard() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        _ = run(from: 21_000, to: 40_000)
        #expect(peers.health(of: .b) == .dead)
        #expect(
            run(from: 45_000, to: 50_000, renewals: [.b]).first == .changed(.b, from: .dead, to: .cutOff))
        #expect(hear(.b, at: 51_000) == [.changed(.b, from: .cutOff, to: .live)])
    }

    @Test mutating func nodeKnownByItsRowAloneIsGivenTimeToSpeak() {
        link(true, at: 0)
        _ = run(to: 60_000)
        renew(.b, at: 60_000)
        #expect(run(from: 60_000, to: 63_000, renewals: [.b]) == [.appeared(.b)])
        #expect(run(from: 64_000, to: 64_000) == [.changed(.b, from: .live, to: .suspect)])
    }

    // MARK: Who hears nothing judges nobody

    @Test mutating func nobodyIsJudgedWhileTheLinkIsDown() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        link(false, at: 20_500)
        #expect(run(from: 21_000, to: 3_600_000, renewals: [.b]) == [])
        #expect(peers.present == [.b] && peers.mustPoll)
    }

    @Test mutating func silenceCountsFromTheReturnOfTheLink() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        link(false, at: 20_500)
        _ = run(from: 21_000, to: 60_000, renewals: [.b])
        link(true, at: 60_500)
        #expect(run(from: 61_000, to: 64_000, renewals: [.b]) == [])
        #expect(run(from: 65_000, to: 65_000, renewals: [.b]) == [.changed(.b, from: .live, to: .suspect)])
    }

    /// A link that comes and goes must not make a mute node look as if it could be heard.
    @Test mutating func cutOffNodeStaysCutOffUntilItIsHeard() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        _ = run(from: 21_000, to: 40_000, renewals: [.b])
        link(false, at: 40_000)
        link(true, at: 41_000)
        #expect(run(from: 41_000, to: 60_000, renewals: [.b]) == [])
        #expect(peers.health(of: .b) == .cutOff)
    }

    @Test mutating func nobodyIsJudgedForAPauseOfTheOwnProcess() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b], renewals: [.b])
        #expect(tick(60_000) == [])
        #expect(peers.health(of: .b) == .live)
        #expect(hear(.b, at: 60_500) == [])
    }

    @Test mutating func databaseThatWasAwayForEveryoneJudgesNobody() {
        _ = run(to: 20_000, renewals: [.b])
        peers.registryFailed()
        #expect(run(from: 21_000, to: 79_000, readEvery: nil) == [])
        // All leases have ended. The others renew theirs a little later.
        #expect(read(at: 80_000) == [])
        #expect(run(from: 81_000, to: 84_000, readEvery: nil) == [])
        #expect(run(from: 85_000, to: 120_000, renewals: [.b]) == [])
        #expect(peers.health(of: .b) == .live)
    }

    @Test mutating func ownEndedLeaseJudgesNobody() {
        _ = run(to: 20_000, renewals: [.b])
        var changes: [PeerChange] = []
        for second in stride(from: 25_000 as UInt64, through: 60_000, by: 5_000) {
            let reading = database.read(now: storeTime(second))
            #expect(peers.registryRead(reading, now: .ms(second), into: &changes) == nil)
            peers.ticked(now: .ms(second), into: &changes)
        }
        // Nobody waits for it, and nobody takes it for dead.
        #expect(changes == [.changed(.b, from: .live, to: .suspect)])
    }

    @Test mutating func jumpOfTheDatabaseClockJudgesNobody() {
        _ = run(to: 20_000, renewals: [.b])
        // Another machine with a clock that is ten minutes ahead. The own row is renewed before it is read.
        let ahead = StoreTime(milliseconds: storeTime(25_000).milliseconds + 600_000)
        _ = database.renew(.a, now: ahead)
        var changes: [PeerChange] = []
        #expect(peers.registryRead(database.read(now: ahead), now: .ms(25_000), into: &changes) == nil)
        #expect(changes == [] && peers.health(of: .b) == .live)
    }

    // MARK: Without a bus

    @Test mutating func nodeIsDeadWhenItsLeaseEnds() {
        _ = run(to: 20_000, renewals: [.b])
        #expect(peers.present == [.b] && peers.mustPoll)
        #expect(
            run(from: 21_000, to: 60_000) == [
                .changed(.b, from: .live, to: .suspect), .changed(.b, from: .suspect, to: .dead),
            ])
        #expect(peers.health(of: .b) == nil, "its row says nothing more, so it is forgotten")
        renew(.b, at: 65_000)
        #expect(read(at: 65_000) == [.appeared(.b)])
    }

    @Test mutating func lateNodeIsSuspectAndComesBack() {
        _ = run(to: 20_000, renewals: [.b])
        #expect(run(from: 21_000, to: 30_000) == [.changed(.b, from: .live, to: .suspect)])
        #expect(run(from: 31_000, to: 35_000, renewals: [.b]) == [.changed(.b, from: .suspect, to: .live)])
    }

    @Test mutating func endedLeaseOfAnUnknownNodeIsNoPeer() {
        renew(.b, at: 0)
        #expect(read(at: 16_000) == [])
        #expect(peers.present == [])
    }

    @Test mutating func nodeWithoutARowIsDeadWhenItsLeaseWouldEnd() {
        _ = run(to: 20_000, renewals: [.b])
        database.leave(.b)
        #expect(run(from: 21_000, to: 30_000) == [.changed(.b, from: .live, to: .dead)])
    }

    // MARK: Ends

    @Test mutating func goodbyeEndsANodeForGood() {
        link(true, at: 0)
        _ = hear(.b, at: 0)
        var changes: [PeerChange] = []
        peers.saidGoodbye(.b, now: .ms(10), into: &changes)
        peers.saidGoodbye(.b, now: .ms(11), into: &changes)
        #expect(changes == [.ended(.b)])
        #expect(hear(.b, at: 20) == [])
        renew(.b, at: 20)
        #expect(read(at: 30) == [])
        #expect(peers.health(of: .b) == nil)
    }

    @Test mutating func anotherLifeOfANameEndsTheOlder() {
        link(true, at: 0)
        _ = run(to: 5_000, beats: [.b], renewals: [.b])
        let next = NodeID(name: .named("b"), incarnation: .c)
        database.leave(.b)
        renew(next, at: 6_000)
        #expect(hear(next, at: 6_000) == [.appeared(next)])
        #expect(read(at: 7_000) == [.ended(.b)])
        #expect(hear(.b, at: 7_100) == [])
        #expect(peers.present == [next])
    }

    @Test mutating func ownNameInAnotherLifeIsReported() {
        let other = NodeID(name: .named("a"), incarnation: .b)
        renew(other, at: 0)
        var changes: [PeerChange] = []
        let reading = database.read(now: storeTime(100))
        #expect(peers.registryRead(reading, now: .ms(100), into: &changes) == other)
        #expect(changes == [])
    }

    @Test mutating func ownEchoIsNoPeer() {
        link(true, at: 0)
        #expect(hear(.a, at: 0) == [])
        #expect(peers.present == [])
    }

    @Test mutating func nodesAreBounded() {
        var limits = ClusterLimits()
        limits.nodesMax = 1
        peers = PeerRegistry(own: .a, limits: limits)
        link(true, at: 0)
        #expect(hear(.b, at: 0) == [.appeared(.b)])
        #expect(hear(.c, at: 0) == [.ignored(.c)])
        var changes: [PeerChange] = []
        peers.saidGoodbye(.c, now: .ms(1), into: &changes)
        peers.saidGoodbye(.b, now: .ms(2), into: &changes)
        #expect(changes == [.ended(.b)])
        #expect(hear(.c, at: 3) == [.appeared(.c)], "one ended life is remembered, and the older forgotten")
    }

    // MARK: Standing

    @Test mutating func standingFollowsTheLinkAndTheOthersRows() {
        #expect(peers.standing == .alone)
        renew(.b, at: 0, NodeStatus(isBusHealthy: true, busID: "1"))
        _ = read(at: 0)
        #expect(peers.standing == .connected, "there is no bus")
        link(true, at: 0, busID: "1")
        #expect(peers.standing == .connected)
        link(true, at: 0, busID: "2")
        #expect(peers.standing == .degraded, "the other one is linked to another bus")
        link(false, at: 100)
        #expect(peers.standing == .cutOff, "the bus works for the other one")
        renew(.b, at: 200, NodeStatus(isBusHealthy: false))
        _ = read(at: 200)
        #expect(peers.standing == .degraded, "the bus is away for all")
    }

    @Test mutating func nodeThatHearsNobodyWhoLivesIsCutOff() {
        link(true, at: 0)
        _ = run(to: 20_000, beats: [.b, .c], renewals: [.b, .c])
        #expect(peers.standing == .connected)
        _ = run(from: 21_000, to: 60_000, renewals: [.b, .c])
        #expect(peers.standing == .cutOff)
    }
}
