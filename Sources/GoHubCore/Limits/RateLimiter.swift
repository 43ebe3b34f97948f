internal import Synchronization

/// The buckets that several connections share, by user, by address and by room, and the rates of all four scopes.
///
/// A session looks its buckets up once, when it is made; after that a command costs three atomic words and no lock.
/// A bucket outlives the connections that used it until it has drained, so a reconnect doesn't buy a fresh burst.
public final class RateLimiter: Sendable {
    public struct Rates: Hashable, Sendable {
        /// Commands of one connection.
        public var connection: Rate?
        /// Commands of one user over all devices.
        public var user: Rate?
        /// Commands and new connections from one address.
        public var address: Rate?
        /// Messages into one room.
        public var room: Rate?

        public init(
            connection: Rate? = .perSecond(20, burst: 60), user: Rate? = .perSecond(40, burst: 120),
            address: Rate? = .perSecond(1_000, burst: 3_000), room: Rate? = .perSecond(1_000, burst: 2_000)
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

    /// The most buckets that are kept. When all are in use, new keys of a scope share one bucket among themselves.
    public static let bucketsMax = 1_000_000

    public let rates: Rates
    private struct Buckets {
        var byKey: [Key: LeakyBucket] = [:]
        var sweptAt: MonotonicTime?
    }

    /// How often the drained buckets are searched for when all are in use: a search looks at every one.
    private static let sweepInterval: Milliseconds = 1000

    private let buckets = Mutex(Buckets())
    private let bucketsMax: Int
    private let overflow: (user: LeakyBucket?, address: LeakyBucket?, room: LeakyBucket?)

    public init(_ rates: Rates = Rates(), bucketsMax: Int = RateLimiter.bucketsMax) {
        self.rates = rates
        self.bucketsMax = bucketsMax
        overflow = (
            rates.user.map(LeakyBucket.init), rates.address.map(LeakyBucket.init), rates.room.map(LeakyBucket.init)
        )
    }

    /// The bucket of one connection, shared with nobody.
    public func connectionBucket() -> LeakyBucket? {
        rates.connection.map(LeakyBucket.init)
    }

    public func userBucket(_ user: UserKey, now: MonotonicTime) -> LeakyBucket? {
        bucket(.user(user), rates.user, overflow.user, now: now)
    }

    /// - Parameter address: an IPv4 address, or the /64 of an IPv6 one.
    public func addressBucket(_ address: String, now: MonotonicTime) -> LeakyBucket? {
        bucket(.address(address), rates.address, overflow.address, now: now)
    }

    public func roomBucket(_ room: RoomID, now: MonotonicTime) -> LeakyBucket? {
        bucket(.room(room), rates.room, overflow.room, now: now)
    }

    private func bucket(
        _ key: Key, _ rate: Rate?, _ overflow: LeakyBucket?, now: MonotonicTime
    ) -> LeakyBucket? {
        guard let rate else { return nil }
        return buckets.withLock { buckets in
            if let known = buckets.byKey[key] { return known }
            if buckets.byKey.count >= bucketsMax {
                if let sweptAt = buckets.sweptAt, now.since(sweptAt) < Self.sweepInterval { return overflow }
                buckets.sweptAt = now
                buckets.byKey = buckets.byKey.filter { !$0.value.isDrained(now: now) }
            }
            guard buckets.byKey.count < bucketsMax else { return overflow }
            let new = LeakyBucket(rate)
            buckets.byKey[key] = new
            return new
        }
    }
}
