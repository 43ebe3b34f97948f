internal import GoHubCore

/// Compares rooms with what other hubs know of them: one statement for up to `RoomHead.roomsMax` rooms.
enum PostgresHeads {
    /// A room's mutes and bans as one number, 0 for none. Computed from the rows, so that nothing is written for it,
    /// and hubs of earlier versions take part. An expired row counts until retention removes it, on all hubs alike.
    private static func version(tenant: String, room: String) -> String {
        """
        coalesce((
            SELECT hashtextextended(
                string_agg(sanction.target || ' ' || sanction.is_ban || ' ' || sanction.until, ',' ORDER BY sanction.target),
                0)
            FROM gohub_sanction sanction WHERE sanction.tenant = \(tenant) AND sanction.room = \(room)
        ), 0)
        """
    }

    static let statements: [PostgresConnection.Command] = [
        .prepare(name: "sanctions_version", sql: "SELECT \(version(tenant: "$1", room: "$2"))", [.text, .text]),
        // A room that nobody has written to has the epoch that it would get. LIMIT keeps the planner from reading all
        // rooms at once.
        .prepare(
            name: "heads",
            sql: """
                SELECT known.place, stored.epoch, stored.head, stored.version
                FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) WITH ORDINALITY
                    AS known (tenant, name, epoch, head, version, place)
                CROSS JOIN (SELECT epoch FROM gohub_database) database
                LEFT JOIN LATERAL (
                    SELECT room.epoch, room.head FROM gohub_room room
                    WHERE room.tenant = known.tenant AND room.name = known.name LIMIT 1
                ) room ON true
                CROSS JOIN LATERAL (
                    SELECT coalesce(room.epoch, database.epoch) AS epoch, coalesce(room.head, 0) AS head,
                        \(version(tenant: "known.tenant", room: "known.name")) AS version
                ) stored
                WHERE stored.epoch <> known.epoch OR stored.head <> known.head OR stored.version <> known.version
                """, [.textArray, .textArray, .textArray, .bigintArray, .bigintArray]),
    ]

    private enum Column: Int {
        case place, epoch, head, version
    }

    static func command(_ known: [RoomHead]) -> PostgresConnection.Command {
        .run(
            name: "heads",
            [
                .texts(known.map(\.room.tenant.value)), .texts(known.map(\.room.name.value)),
                .texts(known.map(\.position.epoch.value)),
                .bigints(known.map { Int64(bitPattern: $0.position.offset) }),
                .bigints(known.map { Int64(bitPattern: $0.sanctionsVersion) }),
            ])
    }

    static func heads(_ known: [RoomHead], _ rows: PostgresResult) -> [RoomHead] {
        (0..<rows.rows).compactMap { row in
            let place = Int(clamping: rows.integer(row, Column.place.rawValue)) - 1
            guard known.indices.contains(place) else { return nil }
            let position = Position(
                epoch: Epoch(rows.text(row, Column.epoch.rawValue)),
                offset: UInt64(bitPattern: rows.integer(row, Column.head.rawValue)))
            return RoomHead(
                room: known[place].room, position: position,
                sanctionsVersion: UInt64(bitPattern: rows.integer(row, Column.version.rawValue)))
        }
    }
}
