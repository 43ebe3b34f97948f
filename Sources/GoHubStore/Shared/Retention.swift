public import GoHubCore

/// The retention of a room's history. The oldest entries are removed; offsets and the epoch continue. With an age,
/// receipts of users without new messages for longer than that are removed, too: `ForgottenReceipts`.
public struct Retention: Hashable, Sendable {
    /// `nil` keeps messages of any age.
    public var ageMax: Milliseconds?
    /// `nil` keeps any number of messages.
    public var messagesPerRoomMax: Int?

    /// - Parameters:
    ///   - ageMax: the age above which entries are removed; `nil` keeps any age.
    ///   - messagesPerRoomMax: the number of newest entries that a room keeps; values below 1 count as 1, `nil` keeps
    ///     all.
    public init(ageMax: Milliseconds? = nil, messagesPerRoomMax: Int? = nil) {
        self.ageMax = ageMax
        self.messagesPerRoomMax = messagesPerRoomMax.map { max(1, $0) }
    }

    var keepsAll: Bool { ageMax == nil && messagesPerRoomMax == nil }
}
