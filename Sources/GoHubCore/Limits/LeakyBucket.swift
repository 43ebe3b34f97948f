internal import Synchronization

extension RateLimiter {
    /// A rate with a burst.
    public struct Rate: Hashable, Sendable {
        /// Events in `period`, 1 to 1,000,000 per second.
        public let count: UInt64
        /// From 1 ms to one day.
        public let period: Milliseconds
        /// Events that may pass at once after an idle time, 1 to 1,000,000,000.
        public let burst: UInt64

        /// - Returns: `nil` when a number is 0 or out of range: a period over one day, more than 1,000,000 events per
        ///   second, or a burst over 1,000,000,000.
        public init?(_ count: UInt64, per period: Milliseconds, burst: UInt64) {
            guard (1...1_000_000_000_000).contains(count), (1...86_400_000).contains(period.value),
                (1...1_000_000_000).contains(burst), count <= period.value * 1000
            else { return nil }
            self.count = count
            self.period = period
            self.burst = burst
        }

        /// A rate per second.
        ///
        /// - Returns: `nil` unless `count` is 1 to 1,000,000 and `burst` 1 to 1,000,000,000.
        public static func perSecond(_ count: UInt64, burst: UInt64) -> RateLimiter.Rate? {
            RateLimiter.Rate(count, per: 1000, burst: burst)
        }

        /// The time between two events at this rate, rounded up so that rounding never admits more.
        var intervalNanoseconds: UInt64 {
            (period.value * 1_000_000 + count - 1) / count
        }
    }
}

/// A leaky bucket as a meter in one atomic word, after the generic cell rate algorithm (GCRA: ITU-T I.371, annex A).
///
/// The word is the theoretical arrival time (TAT) of the next event, in nanoseconds. An event is admitted when its new
/// TAT is at most a burst ahead of now, and moves the TAT by one interval. Time refills the bucket. A
/// compare-and-exchange loop is the only synchronisation: a thread that loses a race reads the winner's TAT and
/// retries, so that all threads together never exceed the rate.
package final class LeakyBucket: Sendable {
    private let theoreticalArrival = Atomic<UInt64>(0)
    private let interval: UInt64
    private let depth: UInt64

    package init(_ rate: RateLimiter.Rate) {
        interval = rate.intervalNanoseconds
        depth = interval.multipliedReportingOverflow(by: rate.burst).overflow ? .max : interval * rate.burst
    }

    /// Tries to admit one event.
    ///
    /// - Parameter now: the monotonic time; it may be earlier than another caller's.
    /// - Returns: `nil` when the event is admitted, otherwise the time to wait.
    package func admit(now: MonotonicTime) -> Milliseconds? {
        let now = now.nanoseconds
        let latest = now.saturatingAdd(depth)
        var arrival = theoreticalArrival.load(ordering: .relaxed)
        while true {
            let next = max(arrival, now).saturatingAdd(interval)
            // `next == .max` is the end of the clock, 584 years on: the bucket is full, not free.
            guard next <= latest, next != .max else {
                return MonotonicTime(nanoseconds: next).since(MonotonicTime(nanoseconds: latest)).atLeastOne
            }
            let (exchanged, original) = theoreticalArrival.compareExchange(
                expected: arrival, desired: next, ordering: .relaxed)
            if exchanged { return nil }
            arrival = original
        }
    }

    /// Charges further events along with an admitted one. They pass, and later events wait longer.
    ///
    /// - Parameter now: the monotonic time.
    func charge(_ count: Int, now: MonotonicTime) {
        let (cost, overflow) = interval.multipliedReportingOverflow(by: UInt64(max(0, count)))
        var arrival = theoreticalArrival.load(ordering: .relaxed)
        while true {
            let next = max(arrival, now.nanoseconds).saturatingAdd(overflow ? .max : cost)
            let (exchanged, original) = theoreticalArrival.compareExchange(
                expected: arrival, desired: next, ordering: .relaxed)
            if exchanged { return }
            arrival = original
        }
    }

    /// Whether the bucket is empty, so that forgetting it changes nothing.
    func isDrained(now: MonotonicTime) -> Bool {
        theoreticalArrival.load(ordering: .relaxed) <= now.nanoseconds
    }
}

extension UInt64 {
    fileprivate func saturatingAdd(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

extension Milliseconds {
    fileprivate var atLeastOne: Milliseconds { max(self, 1) }
}
