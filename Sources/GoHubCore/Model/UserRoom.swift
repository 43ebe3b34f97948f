/// Where a room stands for one of its users.
public struct UserRoom: Hashable, Sendable {
    public var room: RoomName
    public var head: Position
    public var receipt: Receipt
    /// Of the entries after what was seen, those that are facts.
    public var facts: Offset
    /// The newest message, which may have facts behind it; `nil` when retention has taken it.
    public var last: StoredMessage?

    public init(room: RoomName, head: Position, receipt: Receipt, facts: Offset = 0, last: StoredMessage?) {
        self.room = room
        self.head = head
        self.receipt = receipt
        self.facts = facts
        self.last = last
    }

    /// How many messages came after what was seen. One's own messages are seen.
    public var unread: Offset {
        let entries = head.offset - min(head.offset, receipt.seen)
        return entries - min(entries, facts)
    }
}
