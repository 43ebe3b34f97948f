extension PostgresChangeBatch {
    /// The columns that are looked up for a question.
    enum QuestionColumn: Int, ResultColumn {
        case room, epoch, head, number
        /// Of the same command, if it was stored before.
        case knownOffset, knownAt
        /// Of the message that a request is about.
        case author, amendments
        /// The user's reactions to it, a line each.
        case own

        var sql: String {
            switch self {
            case .room: "room.number"
            case .epoch, .head: "room.\(self)"
            case .number:
                """
                coalesce((
                    SELECT fact.number FROM gohub_fact fact WHERE fact.room = room.number
                    ORDER BY fact."offset" DESC LIMIT 1
                ), 0)
                """
            case .knownOffset: "known.\"offset\""
            case .knownAt: "known.at"
            case .author: "message.sender"
            case .amendments: "message.amendments"
            case .own:
                """
                (
                    SELECT string_agg(reaction.reaction, E'\\n') FROM gohub_reaction reaction
                    WHERE reaction.room = room.number AND reaction.target = wish.target
                        AND reaction.sender = wish.sender
                )
                """
            }
        }
    }
}

extension PostgresStatements {
    /// The statements of change requests, run in the transaction of their batch, after locking their rooms.
    static let changes: [PostgresConnection.Command] = [
        // All data about change requests, in their order: a room without remaining changes has the number 0. $6 is the
        // beginning of the idempotency window.
        .prepare(
            name: "look_up_wishes",
            sql: """
                SELECT \(PostgresChangeBatch.QuestionColumn.list)
                FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
                    WITH ORDINALITY AS wish (tenant, name, sender, id, target, place)
                JOIN gohub_room room ON room.tenant = wish.tenant AND room.name = wish.name
                LEFT JOIN LATERAL (
                    SELECT command."offset", command.at FROM gohub_command command
                    WHERE command.room = room.number AND command.sender = wish.sender AND command.id = wish.id
                        AND command.stored_at > $6
                    LIMIT 1
                ) known ON true
                LEFT JOIN LATERAL (
                    SELECT message.sender, message.amendments FROM gohub_message message
                    WHERE message.room = room.number AND message."offset" = wish.target
                    LIMIT 1
                ) message ON true
                ORDER BY wish.place
                """, [.textArray, .textArray, .textArray, .textArray, .bigintArray, .bigint]),
        .prepare(name: "add_fact", sql: MessageColumns.insertChange, MessageColumns.typesOfChange),
        .prepare(
            name: "note_fact",
            sql: """
                INSERT INTO gohub_command (room, "offset", sender, id, at, stored_at) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (room, sender, id) DO UPDATE
                SET "offset" = excluded."offset", at = excluded.at, stored_at = excluded.stored_at
                """, [.bigint, .bigint, .text, .text, .bigint, .bigint]),
        .prepare(
            name: "move_head", sql: "UPDATE gohub_room SET head = $2 WHERE number = $1", [.bigint, .bigint]),
        .prepare(
            name: "amend",
            sql: "UPDATE gohub_message SET amendments = $3 WHERE room = $1 AND \"offset\" = $2",
            [.bigint, .bigint, .text]),
        .prepare(
            name: "amend_text",
            sql: "UPDATE gohub_message SET amendments = $3, text = $4 WHERE room = $1 AND \"offset\" = $2",
            [.bigint, .bigint, .text, .text]),
        .prepare(
            name: "add_reaction",
            sql: "INSERT INTO gohub_reaction (room, target, sender, reaction) VALUES ($1, $2, $3, $4)",
            [.bigint, .bigint, .text, .text]),
        .prepare(
            name: "remove_reaction",
            sql: """
                DELETE FROM gohub_reaction WHERE room = $1 AND target = $2 AND sender = $3 AND reaction = $4
                """, [.bigint, .bigint, .text, .text]),
        .prepare(
            name: "remove_reactions", sql: "DELETE FROM gohub_reaction WHERE room = $1 AND target = $2",
            [.bigint, .bigint]),
    ]
}
