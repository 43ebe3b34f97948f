/// A part of a store's list of what its hubs have stored in direct conversations.
///
/// A room's new entries are found by comparing its head (`MessageStore.readHeads`), because a hub knows which of its
/// rooms have members. A direct message must also reach users whose hub has never heard of the conversation. So the
/// hubs of a cluster list what they store in direct conversations, and read what the others have listed.
public struct DirectNews: Hashable, Sendable {
    /// Entries that a hub has stored together in one direct conversation.
    public struct Item: Hashable, Sendable {
        /// Identifies the item among all of the store.
        public var number: UInt64
        public var room: RoomID
        public var epoch: Epoch
        /// The entries. Some of them may have been listed before.
        public var offsets: ClosedRange<Offset>

        public init(number: UInt64, room: RoomID, epoch: Epoch, offsets: ClosedRange<Offset>) {
            self.number = number
            self.room = room
            self.epoch = epoch
            self.offsets = offsets
        }
    }

    /// A place in the list. The text has a meaning only to its store.
    public struct Cursor: Hashable, Sendable {
        public var text: String

        public init(_ text: String) {
            self.text = text
        }
    }

    /// The maximum number of items of one answer.
    public static let itemsMax = 1_000

    /// In the order in which a conversation's entries were stored; those of different conversations in any order.
    public var items: [Item]
    /// The place from which to read on.
    public var cursor: Cursor
    /// Whether there may be more items already.
    public var more: Bool
    /// Whether items were removed before they could be read, because the last reading was too long ago or of another
    /// server.
    public var hasGap: Bool

    public init(items: [Item] = [], cursor: Cursor, more: Bool = false, hasGap: Bool = false) {
        self.items = items
        self.cursor = cursor
        self.more = more
        self.hasGap = hasGap
    }
}
