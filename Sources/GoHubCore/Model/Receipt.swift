/// A user's progress in a room, over all devices. Both offsets only grow.
public struct Receipt: Hashable, Sendable {
    /// All messages up to this offset have reached a device of the user.
    public private(set) var delivered: Offset
    /// All messages up to this offset were seen; never more than were delivered.
    public private(set) var seen: Offset

    /// The initial receipt: nothing delivered, nothing seen.
    public init() {
        self.init(delivered: 0)
    }

    /// Seen messages count as delivered.
    public init(delivered: Offset, seen: Offset = 0) {
        self.delivered = max(delivered, seen)
        self.seen = seen
    }

    /// All messages up to the offset were delivered and seen.
    public init(seen: Offset) {
        self.init(delivered: seen, seen: seen)
    }

    func limited(to offset: Offset) -> Receipt {
        Receipt(delivered: min(delivered, offset), seen: min(seen, offset))
    }

    /// Takes the maximum of each offset.
    ///
    /// - Returns: whether one has grown.
    @discardableResult
    public mutating func advance(to other: Receipt) -> Bool {
        guard other.delivered > delivered || other.seen > seen else { return false }
        self = Receipt(delivered: max(delivered, other.delivered), seen: max(seen, other.seen))
        return true
    }
}
