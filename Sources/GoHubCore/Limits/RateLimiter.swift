internal import Synchronization

/// The buckets shared by several connections, by user, by address and by room, and the rates of all four scopes.
///
/// A session looks up its buckets once, when it is created. After that a command costs three atomic words and no lock.
/// A bucket outlives its connections until it has drained, so a reconnect doesn't gain a fresh burst.
public final class RateLimiter: Sendable {
    /// The rates of the four scopes; `nil` is no limit.
    public struct Rates: Hashable, Sendable {
        /// Commands of one connection.
        public var connection: RateLimiter.Rate?
        /// Commands of one user on all devices.
        public var user: RateLimiter.Rate?
        /// Commands and new connections from one address.
        public var address: RateLimiter.Rate?
        /// Messages into one room.
        public var room: RateLimiter.Rate?

        public init(
            connection: RateLimiter.Rate? = .perSecond(20, burst: 60),
            user: RateLimiter.Rate? = .perSecond(40, burst: 120),
            address: RateLimiter.Rate? = .perSecond(1_000, burst: 3_000),
            room: RateLimiter.Rate? = .perSecond(1_000, burst: 2_000)
        ) {
            self.connection = connection
            self.user = user
            self.address = address
            self.room = room
        }

        /// No limit in any scope.
        public static let unlimited = Rates(connection: nil, user: nil, address: nil, room: nil)
    }

    private enum Key: Hashable {
        case user(UserKey)
        case address(String)
        case room(RoomID)
    }

    /// The buckets of some of the keys, under a separate lock.
    private final class Stripe: Sendable {
        let buckets = Mutex<[Key: LeakyBucket]>([:])
    }

    /// The maximum number of buckets. When all are in use, the new keys of a scope share one bucket.
    public static let bucketsMax = 1_000_000
    /// Buckets of a full stripe. A sweep examines a stripe at once, under its lock, in about 0.1 ms.
    private static let bucketsPerStripe = 1024
    /// The duration of a round of sweeps through all stripes, and of one while there is no space for new keys.
    private static let sweepPeriod: Milliseconds = 60_000
    private static let fullSweepPeriod: Milliseconds = 5_000
    /// Stripes of one sweep, so that none takes long after an idle time.
    private static let stripesPerSweepMax = 32

    public let rates: Rates
    private let stripes: [Stripe]
    private let count = Atomic(0)
    private let bucketsMax: Int
    private let overflow: (user: LeakyBucket?, address: LeakyBucket?, room: LeakyBucket?)

    private struct Sweep {
        var nextStripe = 0
        /// The time when the next stripe is due.
        var due = MonotonicTime(nanoseconds: 0)
    }

    private let sweeping = Mutex(Sweep())

    /// - Parameters:
    ///   - rates: the rates of the four scopes.
    ///   - bucketsMax: the maximum number of buckets of users, addresses and rooms. Above it, all new keys of a scope
    ///     share one bucket.
    public init(_ rates: Rates = Rates(), bucketsMax: Int = RateLimiter.bucketsMax) {
        self.rates = rates
        self.bucketsMax = bucketsMax
        stripes = (0..<max(1, bucketsMax / Self.bucketsPerStripe)).map { _ in Stripe() }
        overflow = (
            rates.user.map(LeakyBucket.init), rates.address.map(LeakyBucket.init), rates.room.map(LeakyBucket.init)
        )
    }

    /// The bucket of one connection, which is not shared.
    package func connectionBucket() -> LeakyBucket? {
        rates.connection.map(LeakyBucket.init)
    }

    package func userBucket(_ user: UserKey, now: MonotonicTime) -> LeakyBucket? {
        bucket(.user(user), rates.user, overflow.user, now: now)
    }

    /// - Parameters:
    ///   - address: an IPv4 address, or the /64 of an IPv6 one.
    ///   - now: the monotonic time, by which drained buckets are removed.
    package func addressBucket(_ address: String, now: MonotonicTime) -> LeakyBucket? {
        bucket(.address(address), rates.address, overflow.address, now: now)
    }

    package func roomBucket(_ room: RoomID, now: MonotonicTime) -> LeakyBucket? {
        bucket(.room(room), rates.room, overflow.room, now: now)
    }

    private func bucket(
        _ key: Key, _ rate: RateLimiter.Rate?, _ overflow: LeakyBucket?, now: MonotonicTime
    ) -> LeakyBucket? {
        guard let rate else { return nil }
        if count.load(ordering: .relaxed) >= bucketsMax { sweep(now: now) }
        let stripe = stripes[Int(UInt(bitPattern: key.hashValue) % UInt(stripes.count))]
        return stripe.buckets.withLock { buckets in
            if let known = buckets[key] { return known }
            guard count.load(ordering: .relaxed) < bucketsMax else { return overflow }
            let new = LeakyBucket(rate)
            buckets[key] = new
            count.add(1, ordering: .relaxed)
            return new
        }
    }

    // MARK: Idle buckets

    /// Removes drained buckets that no session uses, some of them at each call. A bucket in use stays, so that all
    /// sessions of a user share one.
    ///
    /// Shells call it about once a second. Within a minute it has examined every bucket.
    package func sweep(now: MonotonicTime) {
        // If another caller is sweeping, there is nothing to do.
        let due = sweeping.withLockIfAvailable { sweep -> [Stripe] in
            guard sweep.due <= now else { return [] }
            let isFull = count.load(ordering: .relaxed) >= bucketsMax
            let period = isFull ? Self.fullSweepPeriod : Self.sweepPeriod
            let step = period.value * 1_000_000 / UInt64(stripes.count)
            let late = now.nanoseconds - sweep.due.nanoseconds
            let number = min(Int(clamping: late / max(1, step)) + 1, Self.stripesPerSweepMax, stripes.count)
            let first = sweep.nextStripe
            sweep.nextStripe = (first + number) % stripes.count
            sweep.due = MonotonicTime(nanoseconds: now.nanoseconds + step)
            return (0..<number).map { stripes[(first + $0) % stripes.count] }
        }
        for stripe in due ?? [] { sweep(stripe, now: now) }
    }

    private func sweep(_ stripe: Stripe, now: MonotonicTime) {
        let forgotten = stripe.buckets.withLock { buckets in
            var idle: Set<Key> = []
            var index = buckets.startIndex
            while index != buckets.endIndex {
                if buckets.values[index].isDrained(now: now), isKnownUniquelyReferenced(&buckets.values[index]) {
                    idle.insert(buckets.keys[index])
                }
                buckets.formIndex(after: &index)
            }
            // Rebuilt, which releases the memory of the removed buckets.
            if !idle.isEmpty { buckets = buckets.filter { !idle.contains($0.key) } }
            return idle.count
        }
        count.subtract(forgotten, ordering: .relaxed)
    }

    /// The number of buckets, for tests and metrics.
    package var bucketCount: Int { count.load(ordering: .relaxed) }
}
