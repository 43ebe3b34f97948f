/// A user's mute or ban in a room, as stored.
public struct UserSanction: Hashable, Sendable {
    public var user: UserID
    /// A ban revokes reading and writing, a mute only writing.
    public var isBan: Bool
    /// The remaining time, by the store's clock.
    public var left: Milliseconds

    public init(user: UserID, isBan: Bool, left: Milliseconds) {
        self.user = user
        self.isBan = isBan
        self.left = left
    }
}
