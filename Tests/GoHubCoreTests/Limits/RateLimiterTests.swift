import GoHubTestSupport
import Testing

@testable import GoHubCore

struct RateLimiterTests {
    private static let alice = UserKey(tenant: .standard, user: .alice)
    private static let bob = UserKey(tenant: .standard, user: .bob)
    private let two = RateLimiter.Rates(
        connection: .perSecond(1, burst: 2), user: .perSecond(1, burst: 2), address: .perSecond(1, burst: 2),
        room: .perSecond(1, burst: 2))

    @Test func connectionsOfAUserShareOneBucket() {
        let limiter = RateLimiter(two)
        #expect(limiter.userBucket(Self.alice, now: .ms(0)) === limiter.userBucket(Self.alice, now: .ms(5)))
        #expect(limiter.userBucket(Self.alice, now: .ms(0)) !== limiter.userBucket(Self.bob, now: .ms(0)))
        let elsewhere = UserKey(tenant: .named("other"), user: .alice)
        #expect(limiter.userBucket(Self.alice, now: .ms(0)) !== limiter.userBucket(elsewhere, now: .ms(0)))
    }

    @Test func addressesAndRoomsHaveSeparateBuckets() {
        let limiter = RateLimiter(two)
        #expect(limiter.addressBucket("192.0.2.1", now: .ms(0)) === limiter.addressBucket("192.0.2.1", now: .ms(0)))
        #expect(limiter.addressBucket("192.0.2.1", now: .ms(0)) !== limiter.addressBucket("192.0.2.2", now: .ms(0)))
        #expect(limiter.roomBucket(.lobby, now: .ms(0)) === limiter.roomBucket(.lobby, now: .ms(0)))
        #expect(limiter.roomBucket(.lobby, now: .ms(0)) !== limiter.roomBucket(.named("a"), now: .ms(0)))
        #expect(limiter.connectionBucket() !== limiter.connectionBucket())
    }

    @Test func unlimitedHasNoBuckets() {
        let limiter = RateLimiter(.unlimited)
        #expect(limiter.connectionBucket() == nil)
        #expect(limiter.userBucket(Self.alice, now: .ms(0)) == nil)
        #expect(limiter.addressBucket("192.0.2.1", now: .ms(0)) == nil)
        #expect(limiter.roomBucket(.lobby, now: .ms(0)) == nil)
    }

    @Test func reconnectDoesNotRefill() {
        let limiter = RateLimiter(two, bucketsMax: 1)
        var bucket = limiter.userBucket(Self.alice, now: .ms(0))
        for _ in 0..<2 { #expect(bucket?.admit(now: .ms(0)) == nil) }
        bucket = nil
        // Another user's request makes the limiter look for buckets to remove.
        _ = limiter.userBucket(Self.bob, now: .ms(10))
        #expect(limiter.userBucket(Self.alice, now: .ms(10))?.admit(now: .ms(10)) != nil)
    }

    @Test func newKeysShareABucketWhenAllAreUsed() throws {
        let limiter = RateLimiter(two, bucketsMax: 2)
        for user in [Self.alice, Self.bob] {
            _ = try #require(limiter.userBucket(user, now: .ms(0))).admit(now: .ms(0))
        }
        let shared = limiter.userBucket(.init(tenant: .standard, user: .carol), now: .ms(0))
        #expect(shared != nil)
        #expect(shared === limiter.userBucket(.init(tenant: .standard, user: .named("dave")), now: .ms(0)))
        #expect(shared !== limiter.userBucket(Self.alice, now: .ms(0)))
        #expect(shared !== limiter.addressBucket("192.0.2.1", now: .ms(0)), "another scope has another rate")
        #expect(shared !== limiter.roomBucket(.lobby, now: .ms(0)))
    }

    @Test func drainedBucketIsReplaced() {
        let limiter = RateLimiter(two, bucketsMax: 1)
        _ = limiter.userBucket(Self.alice, now: .ms(0))?.admit(now: .ms(0))
        let shared = limiter.userBucket(Self.bob, now: .ms(500))
        // Alice's bucket is drained at 1000. While all buckets are in use, the limiter looks every five seconds.
        #expect(limiter.userBucket(Self.bob, now: .ms(5000)) === shared)
        let own = limiter.userBucket(Self.bob, now: .ms(5500))
        #expect(own !== shared)
        #expect(own === limiter.userBucket(Self.bob, now: .ms(5500)))
    }

    @Test func idleBucketsAreRemoved() {
        let limiter = RateLimiter(two)
        for number in 0..<5000 {
            let key = UserKey(tenant: .standard, user: .named("u\(number)"))
            _ = limiter.userBucket(key, now: .ms(0))?.admit(now: .ms(0))
        }
        #expect(limiter.bucketCount == 5000)
        // Every bucket is checked within a minute, a part of them each second.
        var counts: [Int] = []
        for second: UInt64 in 1...62 {
            limiter.sweep(now: .ms(1000 * second))
            counts.append(limiter.bucketCount)
        }
        #expect(counts.last == 0)
        #expect(zip([5000] + counts, counts).allSatisfy { $0 - $1 < 1000 }, "never many at a time")
    }

    @Test func undrainedBucketsStay() {
        let limiter = RateLimiter(.init(connection: nil, user: .perSecond(1, burst: 600), address: nil, room: nil))
        for _ in 0..<600 { _ = limiter.userBucket(Self.alice, now: .ms(0))?.admit(now: .ms(0)) }
        for second: UInt64 in 1...120 { limiter.sweep(now: .ms(1000 * second)) }
        #expect(limiter.bucketCount == 1)
        #expect(limiter.userBucket(Self.alice, now: .ms(120_000))?.admit(now: .ms(120_000)) == nil)
    }

    /// Otherwise a user's next device would get a new rate.
    @Test func usedBucketStays() {
        let limiter = RateLimiter(two)
        let used = limiter.userBucket(Self.alice, now: .ms(0))
        for second: UInt64 in 1...120 { limiter.sweep(now: .ms(1000 * second)) }
        #expect(limiter.userBucket(Self.alice, now: .ms(120_000)) === used)
    }
}

struct ViolationBudgetTests {
    @Test func budgetPerMinute() {
        var budget = ViolationBudget(perMinute: 3, now: .ms(0))
        for _ in 0..<3 { #expect(budget.spend(now: .ms(0)) == true) }
        #expect(budget.spend(now: .ms(0)) == false)
        #expect(budget.spend(now: .ms(19_999)) == false)
        #expect(budget.spend(now: .ms(20_000)) == true)
        #expect(budget.spend(now: .ms(20_000)) == false)
    }

    @Test func exhaustedBudgetCostsNothing() {
        var budget = ViolationBudget(perMinute: 6, now: .ms(0))
        for _ in 0..<6 { #expect(budget.spend(now: .ms(0)) == true) }
        for _ in 0..<100 { #expect(budget.spend(now: .ms(5000)) == false) }
        #expect(budget.spend(now: .ms(10_000)) == true)
    }

    @Test func idleTimeRefillsAtMostTheBudget() {
        var budget = ViolationBudget(perMinute: 2, now: .ms(0))
        for _ in 0..<2 { #expect(budget.spend(now: .ms(0)) == true) }
        for _ in 0..<2 { #expect(budget.spend(now: .ms(10_000_000)) == true) }
        #expect(budget.spend(now: .ms(10_000_000)) == false)
    }

    @Test func backwardClockRefillsNothing() {
        var budget = ViolationBudget(perMinute: 1, now: .ms(60_000))
        #expect(budget.spend(now: .ms(60_000)) == true)
        #expect(budget.spend(now: .ms(0)) == false)
        #expect(budget.spend(now: .ms(60_000)) == false)
        #expect(budget.spend(now: .ms(120_000)) == true)
    }
}

struct LimitsTests {
    @Test func defaultLimitsAreConsistent() {
        #expect(Limits().contradictions() == [])
    }

    @Test(
        arguments: [
            \.textBytesMax, \.commandsInFlightMax, \.malformedPerMinuteMax, \.floodedPerMinuteMax,
            \.refreshesPerMinuteMax, \.roomsPerJoinMax,
            \.pageMessagesMax, \.membersListedMax, \.presenceNamesMax, \.roomsPerSessionMax, \.sessionsPerUserMax,
            \.sessionsPerShardMax, \.roomsPerShardMax, \.membersPerRoomMax, \.storeRequestsInFlightMax, \.jsonDepthMax,
            \.queueWatermarkBytes, \.transfersPerSessionMax, \.transfersMax, \.transfersPerUserMax,
            \.transferWindowBytes,
        ] as [any WritableKeyPath<Limits, Int> & Sendable])
    func zeroLimitsAreRefused(_ bound: any WritableKeyPath<Limits, Int> & Sendable) {
        var limits = Limits()
        limits[keyPath: bound] = 0
        #expect(limits.contradictions().count == 1)
    }

    @Test func relationsAreChecked() {
        func contradictions(_ change: (inout Limits) -> Void) -> Int {
            var limits = Limits()
            change(&limits)
            return limits.contradictions().count
        }
        #expect(contradictions { $0.messageBytesMax = $0.textBytesMax } == 1)
        #expect(contradictions { $0.messageBytesMax = 17 * 1024 * 1024 } == 2, "nor does a window hold one")
        #expect(contradictions { $0.transferWindowBytes = $0.messageBytesMax - 1 } == 1)
        #expect(contradictions { $0.transferWindowBytes = FilePiece.bytesMax + 1 } == 1)
        #expect(contradictions { $0.transferTimeout = 999 } == 1)
        #expect(contradictions { $0.pageBytesMax = $0.textBytesMax - 1 } == 1)
        #expect(contradictions { $0.queueBytesMax = 6 * $0.pageBytesMax } == 1)
        #expect(contradictions { $0.filesPerMessageMax = 0 } == 0)
        #expect(contradictions { $0.filesPerMessageMax = -1 } == 1)
        let manyFiles = contradictions {
            $0.filesPerMessageMax = 101
            $0.queueBytesMax = 2 * 1024 * 1024
        }
        #expect(manyFiles == 1)
        let smallPages = contradictions {
            $0.filesPerMessageMax = 100
            $0.pageBytesMax = 64 * 1024
            $0.queueWatermarkBytes = 128 * 1024
            $0.queueBytesMax = 512 * 1024
        }
        #expect(smallPages == 1, "what is said of a message's files may be more than a page")
        #expect(contradictions { $0.queueWatermarkBytes = $0.queueBytesMax } == 2, "nor do the answers under way fit")
        #expect(contradictions { $0.helloTimeout = 99 } == 1)
        #expect(contradictions { $0.heartbeat = 0 } == 1)
        #expect(contradictions { $0.heartbeatGrace = 0 } == 1)
    }
}
