/// A gapless part of a room's history, oldest first, with each message in its current form, and the room's head at the
/// time of reading.
public struct HistoryPage: Hashable, Sendable {
    /// The epoch and the newest offset of the room (0 for none), whether or not the page reaches it.
    public var head: Position
    /// Messages and changes in the order of their offsets.
    public var messages: [StoredMessage]
    /// Whether there are more entries in the requested direction.
    public var more: Bool
    /// Receipts of the room's users, as many as requested.
    public var receipts: [UserReceipt]
    /// The users who are muted or banned in the room now, as many as requested.
    public var sanctions: [UserSanction]
    /// The version of the mutes and bans (`RoomHead.sanctionsVersion`) if they were requested; never newer than they
    /// are.
    public var sanctionsVersion: UInt64

    public init(
        head: Position, messages: [StoredMessage], more: Bool, receipts: [UserReceipt] = [],
        sanctions: [UserSanction] = [], sanctionsVersion: UInt64 = 0
    ) {
        self.head = head
        self.messages = messages
        self.more = more
        self.receipts = receipts
        self.sanctions = sanctions
        self.sanctionsVersion = sanctionsVersion
    }
}
