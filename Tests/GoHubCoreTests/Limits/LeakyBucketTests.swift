import Foundation
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore

struct LeakyBucketTests {
    // MARK: Rates

    @Test(
        arguments: [
            (0, 1000, 1), (1, 0, 1), (1, 1000, 0), (1_000_001, 1000, 1), (1001, 1, 1), (1, 86_400_001, 1),
            (1, 1000, 1_000_000_001), (.max, .max, .max), (.max, 1000, 1),
        ] as [(UInt64, UInt64, UInt64)])
    func invalidRatesAreRefused(_ count: UInt64, _ period: UInt64, _ burst: UInt64) {
        #expect(RateLimiter.Rate(count, per: Milliseconds(period), burst: burst) == nil)
    }

    @Test(
        arguments: [
            (1, 1000, 1, 1_000_000_000), (1_000_000, 1000, 1, 1000), (1, 86_400_000, 1, 86_400_000_000_000),
            (3, 1000, 5, 333_333_334), (60, 60_000, 1, 1_000_000_000),
            (86_400_000_000, 86_400_000, 1_000_000_000, 1000),
        ] as [(UInt64, UInt64, UInt64, UInt64)])
    func ratesRoundDown(_ count: UInt64, _ period: UInt64, _ burst: UInt64, _ interval: UInt64) throws {
        let rate = try #require(RateLimiter.Rate(count, per: Milliseconds(period), burst: burst))
        #expect(rate.intervalNanoseconds == interval)
    }

    // MARK: Against a model

    /// A bucket that is drained and filled: `level` in nanoseconds of waiting. Exact, because nothing here rounds.
    private struct Model {
        let interval: Int128
        let depth: Int128
        var level: Int128 = 0
        var updatedAt: Int128 = 0

        init(_ rate: RateLimiter.Rate) {
            interval = Int128(rate.intervalNanoseconds)
            depth = interval * Int128(rate.burst)
        }

        /// Time that goes backwards drains nothing, and undoes nothing.
        mutating func admits(at now: Int128) -> Bool {
            let full = updatedAt + level
            let next = max(full, now) + interval
            guard next - now <= depth else { return false }
            level = next - now
            updatedAt = now
            return true
        }
    }

    @Test(arguments: 0..<60)
    func agreesWithTheModel(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rate = try #require(randomRate(&random))
        let bucket = LeakyBucket(rate)
        var model = Model(rate)
        let starts: [UInt64] = [0, 1, 1_000_000_000, 1 << 40, 1 << 62]
        var now = random.pick(starts) ?? 0
        var admitted = 0
        for _ in 0..<2000 {
            let time = MonotonicTime(nanoseconds: now)
            let wait = bucket.admit(now: time)
            #expect((wait == nil) == model.admits(at: Int128(now)), "seed \(seed), \(rate), at \(now)")
            if let wait {
                #expect(wait >= 1)
            } else {
                admitted += 1
            }
            let step = UInt64.random(in: 0...(rate.intervalNanoseconds * 2), using: &random)
            now = random.once(in: 20) ? now - min(now, step) : now + (random.once(in: 3) ? 0 : step)
        }
        #expect(admitted > 0)
    }

    /// A request after exactly the reported wait succeeds, if no other request came in between. One a millisecond
    /// earlier does not.
    @Test(arguments: 0..<60)
    func retryAfterIsExact(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rate = try #require(randomRate(&random, burstMax: 50))
        let bucket = LeakyBucket(rate)
        var now = MonotonicTime(nanoseconds: UInt64.random(in: 0...(1 << 50), using: &random))
        for _ in 0..<20 {
            var wait = bucket.admit(now: now)
            for _ in 0..<rate.burst where wait == nil { wait = bucket.admit(now: now) }
            let told = try #require(wait, "a burst is bounded")
            if told > 1 {
                #expect(bucket.admit(now: now + Milliseconds(told.value - 1)) != nil, "seed \(seed), \(rate)")
            }
            now = now + told
            #expect(bucket.admit(now: now) == nil, "seed \(seed), \(rate)")
        }
    }

    @Test func burstThenRate() throws {
        let bucket = LeakyBucket(try #require(.perSecond(10, burst: 3)))
        for _ in 0..<3 { #expect(bucket.admit(now: .ms(0)) == nil) }
        #expect(bucket.admit(now: .ms(0)) == 100)
        #expect(bucket.admit(now: .ms(40)) == 60)
        #expect(bucket.admit(now: .ms(100)) == nil)
        #expect(bucket.admit(now: .ms(100)) == 100)
        // A long silence allows one burst, not more.
        for _ in 0..<3 { #expect(bucket.admit(now: .ms(1_000_000)) == nil) }
        #expect(bucket.admit(now: .ms(1_000_000)) != nil)
    }

    @Test func refusalCostsNothing() throws {
        let bucket = LeakyBucket(try #require(.perSecond(1, burst: 1)))
        #expect(bucket.admit(now: .ms(0)) == nil)
        for _ in 0..<1000 { #expect(bucket.admit(now: .ms(999)) == 1) }
        #expect(bucket.admit(now: .ms(1000)) == nil)
    }

    // MARK: The clock's range

    @Test func backwardClockGainsNothing() throws {
        let bucket = LeakyBucket(try #require(.perSecond(10, burst: 2)))
        #expect(bucket.admit(now: .ms(1000)) == nil)
        #expect(bucket.admit(now: .ms(1000)) == nil)
        #expect(bucket.admit(now: .ms(0)) == 1100)
        #expect(bucket.admit(now: .ms(1000)) == 100)
        #expect(bucket.admit(now: .ms(1100)) == nil)
    }

    @Test(arguments: [0, 1, 999, 1000, 1001, 86_400_000_000_000] as [UInt64])
    func endOfTimeRefusesWithoutTrap(_ before: UInt64) throws {
        for rate in [
            RateLimiter.Rate(1, per: 86_400_000, burst: 1_000_000_000),
            RateLimiter.Rate(1_000_000, per: 1000, burst: 1),
        ] {
            let bucket = LeakyBucket(try #require(rate))
            let end = MonotonicTime(nanoseconds: .max - before)
            var admitted = 0
            while admitted < 1000, bucket.admit(now: end) == nil { admitted += 1 }
            #expect(admitted <= before / 1000, "time that is over lets nothing through")
            #expect(bucket.admit(now: end) != nil)
        }
    }

    @Test func theDeepestBucketAtTheStartOfTime() throws {
        let bucket = LeakyBucket(try #require(RateLimiter.Rate(1, per: 86_400_000, burst: 1_000_000_000)))
        for _ in 0..<1000 { #expect(bucket.admit(now: .ms(0)) == nil) }
    }

    // MARK: Threads

    /// Real threads that request as fast as they can, each with its own time, never get more than the burst and the
    /// rate's share up to the latest time that any of them used.
    @Test func manyThreadsStayWithinRate() throws {
        let rate = try #require(RateLimiter.Rate.perSecond(1_000_000, burst: 50))
        let bucket = LeakyBucket(rate)
        let admitted = Atomic<UInt64>(0)
        let clock = Atomic<UInt64>(0)
        let threads = (0..<8).map { number in
            Thread {
                var random = SeededRandom(seed: UInt64(number))
                for _ in 0..<20_000 {
                    let step = UInt64.random(in: 0...500, using: &random)
                    let now = clock.add(step, ordering: .relaxed).newValue
                    if bucket.admit(now: MonotonicTime(nanoseconds: now)) == nil {
                        admitted.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        run(threads)
        let elapsed = clock.load(ordering: .relaxed)
        let total = admitted.load(ordering: .relaxed)
        #expect(total <= rate.burst + elapsed / rate.intervalNanoseconds + 1)
        #expect(total >= rate.burst, "and the burst is theirs")
    }

    @Test func concurrentThreadsShareTheBurst() throws {
        let bucket = LeakyBucket(try #require(.perSecond(1, burst: 5000)))
        let admitted = Atomic<Int>(0)
        run(
            (0..<8).map { _ in
                Thread {
                    for _ in 0..<2000 where bucket.admit(now: .ms(7)) == nil {
                        admitted.add(1, ordering: .relaxed)
                    }
                }
            })
        #expect(admitted.load(ordering: .relaxed) == 5000)
    }

    private func run(_ threads: [Thread]) {
        for thread in threads { thread.start() }
        for thread in threads { thread.join() }
    }

    // MARK: Helpers

    /// From 1 a minute to 1,000,000 a second, evenly over the orders of magnitude.
    private func randomRate(_ random: inout SeededRandom, burstMax: UInt64 = 1_000_000) -> RateLimiter.Rate? {
        let magnitude = Double.random(in: 0...log10(60_000_000), using: &random)
        let perMinute = UInt64(min(60_000_000, max(1, pow(10, magnitude))))
        let burst = UInt64(pow(10, Double.random(in: 0...log10(Double(burstMax)), using: &random)))
        return RateLimiter.Rate(perMinute, per: 60_000, burst: max(1, burst))
    }
}

/// A thread that can be waited for.
private final class Thread: Sendable {
    private let body: @Sendable () -> Void
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    func start() {
        Foundation.Thread.detachNewThread { [self] in
            body()
            done.signal()
        }
    }

    func join() {
        done.wait()
    }
}
