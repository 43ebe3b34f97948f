internal import GoHubCore

/// Which receipts retention takes: those of users who have got nothing for longer than messages are kept.
///
/// Then all that the receipt speaks of is gone, and the room isn't among the user's any more until they join it or say
/// something in it again. Whoever follows the room and has joined it since stays, whatever they have got: in a room that is
/// only read, and where nothing was got yet. Nobody who has unread messages in a direct conversation loses it: there it waits for the last message.
enum ForgottenReceipts {
    /// From one look at all receipts to the next: that some stay a day longer costs less than to look more often.
    static let interval = Milliseconds.seconds(24 * 60 * 60)

    /// A receipt goes only when the store has learned of no join after this time. It learns of one in a while
    /// (`Following.refreshInterval`), and the hub's memory may be as old: so nobody goes earlier than the age after their last
    /// join.
    static func followedUntil(_ retention: Retention, now: WallTime) -> WallTime {
        now.before(by: retention.ageMax ?? 0).before(by: Milliseconds(2 * Following.refreshInterval.value))
    }

    /// - Parameter first: the oldest message or fact that is left.
    /// - Returns: receipts with a `delivered` below it go.
    static func keepsFrom(room name: String, head: Int64, first: Int64?, _ retention: Retention) -> Int64 {
        guard retention.ageMax != nil, head > 0, head < .max else { return 0 }
        guard let first else { return head + 1 }
        guard RoomName(name)?.isDirect == false, first > 1 else { return 0 }
        // What went because there were too many may be young. Where fewer are left than may be, the last to go was old, and
        // so was all before it.
        if let max = retention.messagesPerRoomMax, head - first + 1 >= max { return 0 }
        return first
    }
}
