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
    private let buckets = Mutex<[Key: LeakyBucket]>([:])
    private let bucketsMax: Int
    private let overflow: LeakyBucket?

    public init(_ rates: Rates = Rates(), bucketsMax: Int = RateLimiter.bucketsMax) {
        self.rates = rates
        self.bucketsMax = bucketsMax
        overflow = (rates.address ?? rates.user ?? rates.room).map(LeakyBucket.init)
    }

    /// The bucket of one connection, shared with nobody.
    public func connectionBucket() -> LeakyBucket? {
        rates.connection.map(LeakyBucket.init)
    }

    public func userBucket(_ user: UserKey, now: MonotonicTime) -> LeakyBucket? {
        bucket(.user(user), rates.user, now: now)
    }

    /// - Parameter address: an IPv4 address, or the /64 of an IPv6 one.
    public func addressBucket(_ address: String, now: MonotonicTime) -> LeakyBucket? {
        bucket(.address(address), rates.address, now: now)
    }

    public func roomBucket(_ room: RoomID, now: MonotonicTime) -> LeakyBucket? {
        bucket(.room(room), rates.room, now: now)
    }

    private func bucket(_ key: Key, _ rate: Rate?, now: MonotonicTime) -> LeakyBucket? {
        guard let rate else { return nil }
        return buckets.withLock { buckets in
            if let known = buckets[key] { return known }
            if buckets.count >= bucketsMax { buckets = buckets.filter { !$0.value.isDrained(now: now) } }
            guard buckets.count < bucketsMax else { return overflow }
            let new = LeakyBucket(rate)
            buckets[key] = new
            return new
        }
    }
}
