/// A part of a room's history, oldest first, without a hole, each message as it stands now, with the room's head at the time of reading.
public struct HistoryPage: Hashable, Sendable {
    /// The epoch, and the newest offset in the room (0 for none), whether the page reaches it or not.
    public var head: Position
    public var messages: [StoredMessage]
    /// Whether there is more in the direction that was asked for.
    public var more: Bool
    /// How far users have got in the room, as many as were asked for.
    public var receipts: [UserReceipt]
    /// Who is muted or banned in the room now, as many as were asked for.
    public var sanctions: [UserSanction]

    public init(
        head: Position, messages: [StoredMessage], more: Bool, receipts: [UserReceipt] = [],
        sanctions: [UserSanction] = []
    ) {
        self.head = head
        self.messages = messages
        self.more = more
        self.receipts = receipts
        self.sanctions = sanctions
    }
}
