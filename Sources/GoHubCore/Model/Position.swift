/// The position of a message or a change in its room: 1, 2, 3, … within an epoch; 0 is before the first.
public typealias Offset = UInt64

/// One life of a room's history. Offsets of different epochs are unrelated.
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

/// The requested part of a room's history.
public enum HistoryRange: Hashable, Sendable {
    case newest
    /// The newest entries before the offset.
    case before(Offset)
    /// The oldest entries after the offset.
    case after(Offset)
}
