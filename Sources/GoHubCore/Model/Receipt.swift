/// How far a user has got in a room, all devices together. Both offsets only ever grow.
public struct Receipt: Hashable, Sendable {
    /// All messages up to this one have reached a device of the user's.
    public private(set) var delivered: Offset
    /// All up to this one were seen; never more than were delivered.
    public private(set) var seen: Offset

    /// At the beginning: nothing delivered, nothing seen.
    public init() {
        self.init(delivered: 0)
    }

    /// What was seen was delivered, too.
    public init(delivered: Offset, seen: Offset = 0) {
        self.delivered = max(delivered, seen)
        self.seen = seen
    }

    public init(seen: Offset) {
        self.init(delivered: seen, seen: seen)
    }

    func limited(to offset: Offset) -> Receipt {
        Receipt(delivered: min(delivered, offset), seen: min(seen, offset))
    }

    /// Takes the further one of each offset.
    ///
    /// - Returns: whether one has grown.
    @discardableResult
    public mutating func advance(to other: Receipt) -> Bool {
        guard other.delivered > delivered || other.seen > seen else { return false }
        self = Receipt(delivered: max(delivered, other.delivered), seen: max(seen, other.seen))
        return true
    }
}

/// Whose receipt it is.
public struct UserReceipt: Hashable, Sendable {
    public var user: UserID
    public var receipt: Receipt
    /// Read from a store: whether the user follows the room, and the store has learned so within `Following.refreshInterval`.
    /// Clients aren't told.
    public var isFollower: Bool

    public init(user: UserID, _ receipt: Receipt, isFollower: Bool = false) {
        self.user = user
        self.receipt = receipt
        self.isFollower = isFollower
    }
}

/// A user follows the plain rooms that they have joined and not left since: `rooms` lists them.
public enum Following {
    /// A join is stored again when the store has last learned of one so long ago. Retention goes by it, so that it forgets
    /// nobody who keeps coming (`ForgottenReceipts` of the durable stores).
    public static let refreshInterval = Milliseconds.seconds(24 * 60 * 60)
}

/// A receipt on its way into the store.
public struct ReceiptNote: Hashable, Sendable {
    public var room: RoomID
    /// Of the room's history that the offsets are of.
    public var epoch: Epoch
    public var user: UserID
    public var receipt: Receipt
    /// Whether the user follows the room from now on; `nil` leaves it as it is. A new receipt without it makes a follower.
    public var follows: Bool?

    public init(room: RoomID, epoch: Epoch, user: UserID, _ receipt: Receipt, follows: Bool? = nil) {
        self.room = room
        self.epoch = epoch
        self.user = user
        self.receipt = receipt
        self.follows = follows
    }
}
