internal import GoHubCore

/// The list of what the hubs of a cluster store in direct conversations (`gohub_direct_news`).
///
/// A hub adds a row for each conversation in the transaction that stores the entries, so that a row is there if and
/// only if its entries are. Transactions become visible in another order than they began. So a reader doesn't read on
/// from the last row that it has seen, but from the oldest transaction that was still in progress when its round began
/// (`pg_snapshot_xmin`; PostgreSQL documentation, "System Information Functions"): all rows of older transactions were
/// visible then. It reads the rows after it again in the next round.
enum PostgresDirectNews {
    /// How long a row is kept, and a reader can stay away: half of it, so that no row is removed while it is read.
    static let keptFor: Milliseconds = .seconds(600)

    // MARK: Writing

    static let writing: [PostgresConnection.Command] = [
        // $4 are the numbers of entries that were to be stored. Repetitions among them were not, and then the row names
        // some entries before them.
        .prepare(
            name: "note_direct",
            sql: """
                INSERT INTO gohub_direct_news (origin, tenant, name, epoch, first, last, at)
                SELECT $1, room.tenant, room.name, room.epoch, greatest(1, room.head - wanted.entries + 1), room.head,
                    \(PostgresStatements.now)
                FROM unnest($2::text[], $3::text[], $4::bigint[]) AS wanted (tenant, name, entries)
                JOIN gohub_room room ON room.tenant = wanted.tenant AND room.name = wanted.name
                WHERE room.head > 0
                """, [.bigint, .textArray, .textArray, .bigintArray]),
        .prepare(
            name: "remove_old_direct",
            sql: """
                DELETE FROM gohub_direct_news WHERE ctid = ANY (ARRAY(
                    SELECT oldest.ctid
                    FROM (
                        SELECT ctid, at FROM gohub_direct_news ORDER BY transaction, number LIMIT $1
                    ) oldest
                    WHERE oldest.at < \(PostgresStatements.now) - \(keptFor.value)))
                RETURNING 1
                """, [.bigint]),
    ]

    /// Lists the entries of a batch; nothing for one without direct conversations.
    ///
    /// - Parameters:
    ///   - origin: the store that writes. Its own hub needs no news of it.
    ///   - rooms: the room of each entry.
    static func note(origin: Int64, _ rooms: some Sequence<RoomID>) -> [PostgresConnection.Command] {
        var counts: [RoomID: Int64] = [:]
        for room in rooms where room.name.isDirect { counts[room, default: 0] += 1 }
        guard !counts.isEmpty else { return [] }
        let entries = Array(counts)
        let (tenants, names) = PostgresWriter.names(of: entries.map(\.key))
        return [
            .run(name: "note_direct", [.bigint(origin), tenants, names, .bigints(entries.map(\.value))])
        ]
    }

    // MARK: Reading

    private enum ItemColumn: Int, ResultColumn {
        case transaction, number, tenant, name, epoch, first, last

        var sql: String { self == .transaction ? "news.transaction::text::bigint" : "news.\(self)" }
    }

    static let reading: [PostgresConnection.Command] = [
        // Before the items, so that the next round begins before anything that this one doesn't see.
        .prepare(name: "direct_news_now", sql: PostgresNewsPlace.start, []),
        .prepare(
            name: "direct_news",
            sql: """
                SELECT \(ItemColumn.list) FROM gohub_direct_news news
                WHERE (news.transaction, news.number) > ($1::bigint::text::xid8, $2) AND news.origin <> $3
                ORDER BY news.transaction, news.number LIMIT $4
                """, [.bigint, .bigint, .bigint, .bigint]),
    ]

    static func commands(after cursor: DirectNews.Cursor, origin: Int64) -> [PostgresConnection.Command] {
        let place = PostgresNewsPlace(cursor)
        return [
            .run(name: "direct_news_now", []),
            .run(
                name: "direct_news",
                [
                    .bigint(place?.transaction ?? .max), .bigint(place?.number ?? 0), .bigint(origin),
                    .bigint(Int64(DirectNews.itemsMax)),
                ]),
        ]
    }

    static func news(
        after cursor: DirectNews.Cursor, _ nowRows: PostgresResult, _ rows: PostgresResult
    ) -> Result<DirectNews, StoreError> {
        guard let start = PostgresNewsPlace(startingAt: nowRows) else {
            return .failure(PostgresWriter.lostRoom.error)
        }
        guard let place = PostgresNewsPlace(cursor), place.timeline == start.timeline,
            start.time - place.time <= Int64(clamping: keptFor.value / 2)
        else {
            return .success(DirectNews(cursor: start.cursor, hasGap: true))
        }
        var items: [DirectNews.Item] = []
        for row in rows.each(ItemColumn.self) {
            let (first, last) = (row.integer(.first), row.integer(.last))
            guard let tenant = TenantID(row.text(.tenant)), let name = RoomName(row.text(.name)), first >= 1,
                first <= last
            else { return .failure(.corruptRow("direct news", in: "PostgreSQL")) }
            items.append(
                DirectNews.Item(
                    number: UInt64(bitPattern: row.integer(.number)), room: RoomID(tenant: tenant, name: name),
                    epoch: Epoch(row.text(.epoch)), offsets: UInt64(first)...UInt64(last)))
        }
        // The first reading of a round decides where the next one begins.
        var end = place.isAtStart ? start : place
        let isFull = rows.rows >= DirectNews.itemsMax
        if isFull, let last = rows.each(ItemColumn.self).last {
            (end.transaction, end.number) = (last.integer(.transaction), last.integer(.number))
        } else {
            (end.transaction, end.number) = (end.next, 0)
        }
        return .success(DirectNews(items: items, cursor: end.cursor, more: isFull))
    }
}
