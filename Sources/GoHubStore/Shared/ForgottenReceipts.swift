internal import GoHubCore

/// The receipts that retention removes: those of users without new messages for longer than messages are kept.
///
/// Then every message that the receipt refers to has been removed, and the room is no longer one of the user's until
/// they join it or write to it again. A user who follows the room and has joined since stays, whatever they have
/// received: this covers rooms that are only read or in which nothing was received yet. A direct conversation with
/// unread messages stays listed until its last message is removed.
enum ForgottenReceipts {
    /// The interval between two scans of all receipts: keeping some a day longer costs less than scanning more often.
    static let interval = Milliseconds.seconds(24 * 60 * 60)

    /// A receipt is removed only when the store has recorded no join after this time. Joins are recorded at intervals
    /// (`Following.refreshInterval`), and the hub's memory may be as old: so no receipt is removed earlier than the age
    /// after the user's last join.
    static func followedUntil(_ retention: Retention, now: WallTime) -> WallTime {
        now.before(by: retention.ageMax ?? 0).before(by: Milliseconds(2 * Following.refreshInterval.value))
    }

    /// - Parameter first: the oldest remaining message or change.
    /// - Returns: receipts with a `delivered` below it are removed.
    static func keepsFrom(room name: String, head: Int64, first: Int64?, _ retention: Retention) -> Int64 {
        guard retention.ageMax != nil, head > 0, head < .max else { return 0 }
        guard let first else { return head + 1 }
        guard RoomName(name)?.isDirect == false, first > 1 else { return 0 }
        // Entries removed because there were too many may be young. If fewer remain than the maximum, the last removed
        // entry was old, and so were all before it.
        if let max = retention.messagesPerRoomMax, head - first + 1 >= max { return 0 }
        return first
    }
}
