/// A user's mute or ban in a room, as a store has it.
public struct UserSanction: Hashable, Sendable {
    public var user: UserID
    /// A ban takes reading and writing, a mute only writing.
    public var isBan: Bool
    /// The time until it ends, by the store's clock.
    public var left: Milliseconds

    public init(user: UserID, isBan: Bool, left: Milliseconds) {
        self.user = user
        self.isBan = isBan
        self.left = left
    }
}
