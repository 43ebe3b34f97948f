import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Who has a name, by the database's clock.
struct NodeRegistryTests {
    private var registry = NodeRegistry(limits: ClusterLimits())

    private func time(_ milliseconds: Int64) -> StoreTime { StoreTime(milliseconds: milliseconds) }

    @Test mutating func nodeGetsItsNameForALease() {
        #expect(registry.renew(.a, now: time(0)) == .granted(until: time(15_000)))
        #expect(registry.renew(.a, now: time(5_000)) == .granted(until: time(20_000)))
        #expect(registry.renew(.b, now: time(6_000)) == .granted(until: time(21_000)))
        let reading = registry.read(now: time(7_000))
        #expect(reading.rows == [NodeRow(.a, leaseEnd: time(20_000)), NodeRow(.b, leaseEnd: time(21_000))])
    }

    @Test mutating func secondLiveNodeOfANameIsRefused() {
        _ = registry.renew(.a, now: time(0))
        let second = NodeID(name: .named("a"), incarnation: .b)
        #expect(registry.renew(second, now: time(14_999)) == .refused(by: .a, until: time(15_000)))
        #expect(registry.renew(second, now: time(15_000)) == .granted(until: time(30_000)))
    }

    /// It stood still, and another one has its name.
    @Test mutating func replacedNodeIsRefused() {
        let second = NodeID(name: .named("a"), incarnation: .b)
        _ = registry.renew(.a, now: time(0))
        _ = registry.renew(second, now: time(20_000))
        #expect(registry.renew(.a, now: time(21_000)) == .refused(by: second, until: time(35_000)))
        #expect(registry.leave(.a) == false)
        #expect(registry.read(now: time(21_000)).rows.map(\.node) == [second])
    }

    @Test mutating func lateRenewalIsNoted() {
        _ = registry.renew(.a, now: time(0))
        #expect(registry.renew(.a, now: time(15_000)) == .grantedLate(until: time(30_000)))
    }

    @Test mutating func nodeThatLeavesFreesItsNameAtOnce() {
        _ = registry.renew(.a, now: time(0))
        #expect(registry.leave(.a) == true)
        let second = NodeID(name: .named("a"), incarnation: .b)
        #expect(registry.renew(second, now: time(1)) == .granted(until: time(15_001)))
    }

    @Test mutating func nodesAreBoundedAndEndedOnesMakeSpace() {
        var limits = ClusterLimits()
        limits.nodesMax = 2
        registry = NodeRegistry(limits: limits)
        _ = registry.renew(.a, now: time(0))
        _ = registry.renew(.b, now: time(5_000))
        #expect(registry.renew(.c, now: time(14_000)) == .full)
        #expect(registry.renew(.c, now: time(15_000)) == .granted(until: time(30_000)))
        #expect(registry.read(now: time(15_000)).rows.map(\.node) == [.b, .c])
    }

    @Test func storeTimesDoNotOverflow() {
        #expect(time(.max) + 1 == time(.max))
        #expect(time(.max).since(time(.min)) == Milliseconds(.max))
        #expect(time(0).since(time(1)) == 0)
    }

    // MARK: Limits

    @Test func limitsAreConsistent() {
        #expect(ClusterLimits().contradictions() == [])
    }

    @Test func contradictionsAreSentences() {
        var limits = ClusterLimits()
        limits.lease = 6_000
        limits.nodesMax = 0
        #expect(
            limits.contradictions() == [
                "lease must be more than lateAfter", "lease must be more than two renewals, so that one may fail",
                "nodesMax must be at least 1",
            ])
    }
}
