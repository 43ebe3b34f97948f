/// A message's, or a fact's, place in its room: 1, 2, 3, … within an epoch; 0 is before the first.
public typealias Offset = UInt64

/// One life of a room's history. Offsets of different epochs say nothing of each other.
public struct Epoch: Hashable, Sendable, CustomStringConvertible {
    public let value: String

    public init(_ value: String) {
        self.value = value
    }

    public var description: String { value }
}

/// A point in a room's history.
public struct Position: Hashable, Sendable {
    public var epoch: Epoch
    public var offset: Offset

    public init(epoch: Epoch, offset: Offset) {
        self.epoch = epoch
        self.offset = offset
    }
}

/// Which part of a room's history is asked for.
public enum HistoryRange: Hashable, Sendable {
    case newest
    /// The newest that are older than the offset.
    case before(Offset)
    /// The oldest that are newer than the offset.
    case after(Offset)
}
