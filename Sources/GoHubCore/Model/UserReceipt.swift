/// A receipt and its user.
public struct UserReceipt: Hashable, Sendable {
    public var user: UserID
    public var receipt: Receipt
    /// For a receipt read from a store: whether the user follows the room, and the store has recorded so within
    /// the last 24 hours. Not sent to clients.
    public var isFollower: Bool

    public init(user: UserID, _ receipt: Receipt, isFollower: Bool = false) {
        self.user = user
        self.receipt = receipt
        self.isFollower = isFollower
    }
}

/// A user follows the plain rooms that they have joined and not left: `rooms` lists them.
package enum Following {
    /// The interval after which another join is stored again. Retention uses it, so that it forgets no active user
    /// (`ForgottenReceipts` of the durable stores).
    package static let refreshInterval = Milliseconds.seconds(24 * 60 * 60)
}
