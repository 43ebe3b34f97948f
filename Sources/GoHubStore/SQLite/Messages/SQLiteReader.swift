internal import GoHubCore

/// Reads pages. Has its own connection, so that readers and the writer don't wait for each other. Belongs to the
/// store's reading thread.
final class SQLiteReader {
    private let connection: SQLiteConnection
    private let clock: @Sendable () -> WallTime
    private let findRoom: SQLiteStatement
    private let findEpoch: SQLiteStatement
    private let before: SQLiteStatement
    private let after: SQLiteStatement
    private let receipts: SQLiteStatement
    private let sanctions: SQLiteStatement
    private let findRooms: SQLiteStatement
    private let last: SQLiteStatement
    private let heads: SQLiteHeads

    /// - Parameter clock: decides when mutes and bans end.
    init(_ connection: SQLiteConnection, clock: @escaping @Sendable () -> WallTime) throws(StoreError) {
        self.connection = connection
        self.clock = clock
        findRoom = try connection.prepare(
            "SELECT \(HeadColumn.list) FROM room WHERE tenant = ?1 AND name = ?2")
        findEpoch = try connection.prepare("SELECT epoch FROM database")
        before = try connection.prepare(Self.page(comparison: "<", order: "DESC"))
        after = try connection.prepare(Self.page(comparison: ">", order: "ASC"))
        receipts = try connection.prepare(
            "SELECT \(ReceiptColumn.list) FROM receipt WHERE room = ?1 LIMIT ?2")
        sanctions = try connection.prepare(
            """
            SELECT \(SanctionColumn.list) FROM sanction WHERE tenant = ?1 AND room = ?2 AND until > ?3 LIMIT ?4
            """)
        findRooms = try connection.prepare(
            """
            SELECT \(RoomColumn.list)
            FROM receipt JOIN room ON room.number = receipt.room
            WHERE receipt.tenant = ?1 AND receipt.user = ?2 AND room.name > ?3 AND receipt.is_followed
                AND NOT EXISTS (
                    SELECT 1 FROM sanction WHERE sanction.tenant = ?1 AND sanction.room = room.name
                        AND sanction.user = ?2 AND sanction.is_ban AND sanction.until > ?4)
            ORDER BY room.name
            """)
        last = try connection.prepare(
            """
            SELECT \(SQLiteMessageColumns.ofMessage) FROM message WHERE room = ?1 ORDER BY "offset" DESC LIMIT 1
            """)
        heads = try SQLiteHeads(connection)
    }

    /// Messages and changes, merged by offset as they are read.
    private static func page(comparison: String, order: String) -> String {
        """
        SELECT \(SQLiteMessageColumns.ofMessage) FROM message WHERE room = ?1 AND "offset" \(comparison) ?2
        UNION ALL
        SELECT \(SQLiteMessageColumns.ofChange) FROM fact WHERE room = ?1 AND "offset" \(comparison) ?2
        ORDER BY "offset" \(order) LIMIT ?3
        """
    }

    func read(_ request: HistoryRequest) -> Result<HistoryPage, StoreError> {
        do throws(StoreError) {
            // One transaction is one snapshot: the messages lead up to its head.
            return .success(
                try connection.transaction("BEGIN") { () throws(StoreError) in
                    var page = try page(request)
                    if request.sanctionsMax > 0 {
                        page.sanctions = try sanctions(of: request)
                        page.sanctionsVersion = try heads.version(of: request.room)
                    }
                    return page
                })
        } catch {
            return .failure(error)
        }
    }

    func compare(_ known: [RoomHead]) -> Result<[RoomHead], StoreError> {
        do throws(StoreError) {
            return .success(try connection.transaction("BEGIN") { () throws(StoreError) in try heads.compare(known) })
        } catch {
            return .failure(error)
        }
    }

    private func sanctions(of request: HistoryRequest) throws(StoreError) -> [UserSanction] {
        let now = clock()
        try sanctions.bind(
            request.room.tenant.value, request.room.name.value, now.milliseconds, Int64(request.sanctionsMax))
        defer { sanctions.reset() }
        let row = SQLiteRow<SanctionColumn>(sanctions)
        var found: [UserSanction] = []
        while try sanctions.step() {
            guard let user = UserID(row.text(.user)) else { throw corrupt("sanction") }
            found.append(UserSanction(user: user, isBan: row.flag(.isBan), left: now.distance(to: row.time(.until))))
        }
        return found
    }

    private func page(_ request: HistoryRequest) throws(StoreError) -> HistoryPage {
        try findRoom.bind(request.room.tenant.value, request.room.name.value)
        guard try findRoom.step() else {
            // Nobody has written to the room. It will get this epoch with its first message.
            guard try findEpoch.step() else {
                throw StoreError(.corrupt, "The epoch is missing from \(connection.path). Restore it from a backup.")
            }
            defer { findEpoch.reset() }
            return HistoryPage(
                head: Position(epoch: Epoch(findEpoch.text(0)), offset: 0), messages: [], more: false)
        }
        defer { findRoom.reset() }
        let room = SQLiteRow<HeadColumn>(findRoom)
        let (statement, bound, isNewestFirst) =
            switch request.range {
            // No offset exceeds the highest possible one, which is never assigned.
            case .newest: (before, Int64.max, true)
            case .before(let offset): (before, Int64(clamping: offset), true)
            case .after(let offset): (after, Int64(clamping: offset), false)
            }
        try statement.bind(room.integer(.number), bound, request.rowsMax)
        defer { statement.reset() }
        var builder = PageBuilder<StoredMessage>(request)
        while try statement.step(), builder.take(try message(statement)) {}
        return HistoryPage(
            head: room.position(epoch: .epoch, offset: .head),
            messages: isNewestFirst ? builder.elements.reversed() : builder.elements, more: builder.more,
            receipts: request.receiptsMax > 0 ? try receipts(room: room.integer(.number), request.receiptsMax) : [])
    }

    private func receipts(room: Int64, _ max: Int) throws(StoreError) -> [UserReceipt] {
        try receipts.bind(room, Int64(max), clock().before(by: Following.refreshInterval).milliseconds)
        defer { receipts.reset() }
        let row = SQLiteRow<ReceiptColumn>(receipts)
        var found: [UserReceipt] = []
        while try receipts.step() {
            guard let user = UserID(row.text(.user)) else { throw corrupt("receipt") }
            found.append(
                UserReceipt(
                    user: user, row.receipt(delivered: .delivered, seen: .seen), isFollower: row.flag(.isFollower)))
        }
        return found
    }

    private func corrupt(_ what: String) -> StoreError { .corruptRow(what, in: connection.path) }

    // MARK: A user's rooms

    func read(_ request: RoomsRequest) -> Result<RoomsPage, StoreError> {
        do throws(StoreError) {
            return .success(try connection.transaction("BEGIN") { () throws(StoreError) in try page(request) })
        } catch {
            return .failure(error)
        }
    }

    private func page(_ request: RoomsRequest) throws(StoreError) -> RoomsPage {
        // Every name comes after the empty one.
        try findRooms.bind(
            request.user.tenant.value, request.user.user.value, request.after?.value ?? "", clock().milliseconds)
        defer { findRooms.reset() }
        let row = SQLiteRow<RoomColumn>(findRooms)
        var builder = PageBuilder<RoomsPage.Room>(request)
        while try findRooms.step() {
            guard let name = RoomName(row.text(.name)) else { throw corrupt("room") }
            guard request.opens(name) else { continue }
            let room = RoomsPage.Room(
                room: name, head: row.position(epoch: .epoch, offset: .head),
                receipt: row.receipt(delivered: .delivered, seen: .seen),
                // NULL reads as 0.
                changes: UInt64(clamping: row.integer(.changes)), last: try last(room: row.integer(.number)))
            guard builder.take(room) else { break }
        }
        return builder.page
    }

    private func last(room: Int64) throws(StoreError) -> StoredMessage? {
        try last.bind(room)
        defer { last.reset() }
        return try last.step() ? try message(last) : nil
    }

    /// - Parameter statement: with all columns of `SQLiteMessageColumns.ofMessage`.
    private func message(_ statement: SQLiteStatement) throws(StoreError) -> StoredMessage {
        let row = SQLiteRow<MessageColumn>(statement)
        guard let message = StoredMessage(entry: row) else {
            throw corrupt(row.isNull(.target) ? "message" : "change")
        }
        return message
    }
}
