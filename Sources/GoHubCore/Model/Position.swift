/// The position of a message or a change in its room: 1, 2, 3, … within an epoch; 0 is before the first.
public typealias Offset = UInt64

/// One life of a room's history. Offsets of different epochs are unrelated.
public struct Epoch: Hashable, Sendable, CustomStringConvertible {
    /// An opaque string of at most 64 bytes of UTF-8.
    public let value: String

    /// - Parameter value: not checked. Clients can't send back an epoch of more than 64 bytes.
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
    /// The newest entries.
    case newest
    /// The newest entries before the offset.
    case before(Offset)
    /// The oldest entries after the offset.
    case after(Offset)
}
