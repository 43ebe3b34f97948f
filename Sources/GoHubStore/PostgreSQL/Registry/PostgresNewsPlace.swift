internal import GoHubCore

/// A place in the list of direct news (`PostgresDirectNews`), at which a node begins when it gets its name.
///
/// As a cursor it is the text `<timeline>:<time>:<next>:<transaction>:<number>`.
struct PostgresNewsPlace {
    private enum Column: Int, ResultColumn {
        case timeline, time, oldest

        var sql: String {
            switch self {
            case .timeline: "coalesce((SELECT timeline FROM gohub_database), '')"
            case .time: PostgresNodes.now
            case .oldest: "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            }
        }
    }

    /// Selects the place from which a round that begins now reads everything that it doesn't see yet.
    static let start = "SELECT \(Column.list)"

    /// The server's timeline and time at the beginning of the round.
    private(set) var timeline: Substring
    private(set) var time: Int64
    /// The transaction from which the next round reads: the oldest one in progress at the beginning of this round.
    private(set) var next: Int64
    /// The place in this round: the last row that was read.
    var transaction: Int64
    var number: Int64

    /// - Parameter rows: the result of `start`; `nil` for another one.
    init?(startingAt rows: PostgresResult) {
        guard rows.rows == 1 else { return nil }
        let row = PostgresRow<Column>(rows, 0)
        timeline = row.text(.timeline)[...]
        (time, next) = (row.integer(.time), row.integer(.oldest))
        (transaction, number) = (next, 0)
    }

    init?(_ cursor: DirectNews.Cursor) {
        let parts = cursor.text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 5, let time = Int64(parts[1]), let next = Int64(parts[2]),
            let transaction = Int64(parts[3]), let number = Int64(parts[4]), transaction >= 0
        else { return nil }
        (timeline, self.time, self.next) = (parts[0], time, next)
        (self.transaction, self.number) = (transaction, number)
    }

    var cursor: DirectNews.Cursor {
        DirectNews.Cursor("\(timeline):\(time):\(next):\(transaction):\(number)")
    }

    /// Whether a round is complete, and the next one begins here.
    var isAtStart: Bool { number == 0 }
}
