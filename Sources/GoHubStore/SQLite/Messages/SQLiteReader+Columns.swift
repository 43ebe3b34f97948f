/// The columns that the reader's statements select.
extension SQLiteReader {
    enum HeadColumn: Int, ResultColumn {
        case number, epoch, head
    }

    enum ReceiptColumn: Int, ResultColumn {
        case user, delivered, seen, isFollower

        var sql: String {
            switch self {
            case .user, .delivered, .seen: "\(self)"
            case .isFollower: "is_followed AND followed_at > ?3"
            }
        }
    }

    enum SanctionColumn: Int, ResultColumn {
        case user, isBan, until

        var sql: String {
            switch self {
            case .user, .until: "\(self)"
            case .isBan: "is_ban"
            }
        }
    }

    /// A room of a user, with the number of changes since the seen offset.
    enum RoomColumn: Int, ResultColumn {
        case name, number, epoch, head, delivered, seen, changes

        var sql: String {
            switch self {
            case .name, .number, .epoch, .head: "room.\(self)"
            case .delivered, .seen: "receipt.\(self)"
            // NULL if there is nothing to count.
            case .changes:
                """
                (SELECT number FROM fact WHERE fact.room = room.number ORDER BY "offset" DESC LIMIT 1)
                    - (SELECT number FROM fact WHERE fact.room = room.number AND "offset" > receipt.seen
                        ORDER BY "offset" LIMIT 1) + 1
                """
            }
        }
    }
}
