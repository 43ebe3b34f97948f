/// The columns that the reader's statements select.
extension PostgresReader {
    /// The head of a page's room. The columns of an entry follow, all NULL if there is none.
    enum PageColumn: Int, ResultColumn {
        case epoch, head

        var sql: String { "room.\(self)" }
    }

    enum ReceiptColumn: Int, ResultColumn {
        case user, delivered, seen, isFollower

        var sql: String {
            switch self {
            case .user: "known.reader"
            case .delivered, .seen: "known.\(self)"
            case .isFollower: "known.is_followed AND known.followed_at > $4"
            }
        }
    }

    enum SanctionColumn: Int, ResultColumn {
        case user, isBan, left

        var sql: String {
            switch self {
            case .user: "known.target"
            case .isBan: "known.is_ban"
            case .left: "known.until - clock.now"
            }
        }
    }

    /// A room of a user, with the number of changes since the seen offset. The columns of its last message follow, all
    /// NULL if there is none.
    enum RoomColumn: Int, ResultColumn {
        case name, epoch, head, delivered, seen, changes

        var sql: String {
            switch self {
            case .name, .epoch, .head, .delivered, .seen: "mine.\(self)"
            case .changes:
                """
                coalesce((
                    SELECT fact.number FROM gohub_fact fact WHERE fact.room = mine.number
                    ORDER BY fact."offset" DESC LIMIT 1
                ) - (
                    SELECT fact.number FROM gohub_fact fact
                    WHERE fact.room = mine.number AND fact."offset" > mine.seen ORDER BY fact."offset" LIMIT 1
                ) + 1, 0)
                """
            }
        }
    }
}
