extension RoomsPage {
    /// The state of a room for one of its users.
    public struct Room: Hashable, Sendable {
        public var room: RoomName
        public var head: Position
        /// The user's own receipt, over all devices.
        public var receipt: Receipt
        /// The number of changes among the entries after the seen offset.
        public var changes: Offset
        /// The newest message, which changes may follow; `nil` when retention has removed it.
        public var last: StoredMessage?

        public init(room: RoomName, head: Position, receipt: Receipt, changes: Offset = 0, last: StoredMessage?) {
            self.room = room
            self.head = head
            self.receipt = receipt
            self.changes = changes
            self.last = last
        }

        /// The number of messages after the seen offset. A user's own messages count as seen.
        public var unread: Offset {
            let entries = head.offset - min(head.offset, receipt.seen)
            return entries - min(entries, changes)
        }
    }
}
