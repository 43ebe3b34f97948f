/// The columns that the writer's statements select.
extension PostgresWriter {
    /// A locked room, with its place in the list of rooms, which counts from 1.
    enum RoomColumn: Int, ResultColumn {
        case place, epoch, head

        var sql: String {
            switch self {
            case .place: "wanted.place"
            case .epoch, .head: "room.\(self)"
            }
        }
    }

    /// Where a draft is stored, and whether it was before.
    enum OutcomeColumn: Int, ResultColumn {
        case epoch, offset, at, isKnown

        var sql: String {
            switch self {
            case .epoch: "epoch"
            case .offset: "coalesce(known_offset, \"offset\")"
            case .at: "coalesce(known_at, at)"
            case .isKnown: "known_offset IS NOT NULL"
            }
        }
    }

    /// The number of a sanction's outcome, and the rest of the sanction that was there before.
    enum VerdictColumn: Int, ResultColumn {
        case verdict, remaining

        var sql: String {
            switch self {
            case .verdict: "verdict.verdict"
            case .remaining: "coalesce((SELECT known.remaining FROM known), 0)::bigint"
            }
        }
    }
}
