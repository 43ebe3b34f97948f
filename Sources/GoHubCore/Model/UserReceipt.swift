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
