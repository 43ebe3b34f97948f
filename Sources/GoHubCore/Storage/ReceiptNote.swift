/// A receipt on its way into the store.
public struct ReceiptNote: Hashable, Sendable {
    public var room: RoomID
    /// The epoch of the offsets.
    public var epoch: Epoch
    public var user: UserID
    /// The offsets; ignored when they are beyond the room's head.
    public var receipt: Receipt
    /// Whether the user follows the room from now on; `nil` leaves it unchanged. A new receipt without it makes a
    /// follower.
    public var follows: Bool?

    public init(room: RoomID, epoch: Epoch, user: UserID, _ receipt: Receipt, follows: Bool? = nil) {
        self.room = room
        self.epoch = epoch
        self.user = user
        self.receipt = receipt
        self.follows = follows
    }
}
