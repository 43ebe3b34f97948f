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
