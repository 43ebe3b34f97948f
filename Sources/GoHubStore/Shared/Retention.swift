public import GoHubCore

/// How much history a room keeps. What goes is always the oldest; offsets and the epoch go on. With an age, who has got
/// nothing for longer than that is forgotten, too: `ForgottenReceipts`.
public struct Retention: Hashable, Sendable {
    /// `nil` keeps messages of any age.
    public var ageMax: Milliseconds?
    /// `nil` keeps any number of messages.
    public var messagesPerRoomMax: Int?

    public init(ageMax: Milliseconds? = nil, messagesPerRoomMax: Int? = nil) {
        self.ageMax = ageMax
        self.messagesPerRoomMax = messagesPerRoomMax.map { max(1, $0) }
    }

    var keepsAll: Bool { ageMax == nil && messagesPerRoomMax == nil }
}
