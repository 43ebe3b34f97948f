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
        findRoom = try connection.prepare("SELECT number, epoch, head FROM room WHERE tenant = ?1 AND name = ?2")
        findEpoch = try connection.prepare("SELECT epoch FROM database")
        before = try connection.prepare(Self.page(comparison: "<", order: "DESC"))
        after = try connection.prepare(Self.page(comparison: ">", order: "ASC"))
        receipts = try connection.prepare(
            """
            SELECT user, delivered, seen, is_followed AND followed_at > ?3 FROM receipt WHERE room = ?1 LIMIT ?2
            """)
        sanctions = try connection.prepare(
            """
            SELECT user, is_ban, until FROM sanction WHERE tenant = ?1 AND room = ?2 AND until > ?3 LIMIT ?4
            """)
        findRooms = try connection.prepare(
            """
            SELECT room.name, room.epoch, room.head, receipt.delivered, receipt.seen, room.number,
                (SELECT number FROM fact WHERE fact.room = room.number ORDER BY "offset" DESC LIMIT 1)
                    - (SELECT number FROM fact WHERE fact.room = room.number AND "offset" > receipt.seen
                        ORDER BY "offset" LIMIT 1) + 1
            FROM receipt JOIN room ON room.number = receipt.room
            WHERE receipt.tenant = ?1 AND receipt.user = ?2 AND room.name > ?3 AND receipt.is_followed
                AND NOT EXISTS (
                    SELECT 1 FROM sanction WHERE sanction.tenant = ?1 AND sanction.room = room.name
                        AND sanction.user = ?2 AND sanction.is_ban AND sanction.until > ?4)
            ORDER BY room.name
            """)
        last = try connection.prepare(
            "\(Self.messages) WHERE room = ?1 ORDER BY \"offset\" DESC LIMIT 1")
        heads = try SQLiteHeads(connection)
    }

    private static let messages = """
        SELECT "offset", id, user, name, at, text, reply_to, amendments, files, NULL AS target,
            NULL AS kind, NULL AS reaction, NULL AS total FROM message
        """

    /// Messages and changes, merged by offset as they are read. An edit has the current text of its message.
    private static func page(comparison: String, order: String) -> String {
        """
        \(messages) WHERE room = ?1 AND "offset" \(comparison) ?2
        UNION ALL
        SELECT "offset", id, user, name, at,
            CASE kind WHEN \(ChangeColumns.edited) THEN coalesce((
                SELECT text FROM message WHERE message.room = fact.room AND message."offset" = fact.target), '')
                ELSE '' END,
            NULL, NULL, NULL, target, kind, reaction, total
        FROM fact WHERE room = ?1 AND "offset" \(comparison) ?2
        ORDER BY 1 \(order) LIMIT ?3
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
        var found: [UserSanction] = []
        while try sanctions.step() {
            guard let user = UserID(sanctions.text(0)) else { throw corrupt("sanction") }
            let left = now.distance(to: WallTime(milliseconds: sanctions.integer(2)))
            found.append(UserSanction(user: user, isBan: sanctions.integer(1) != 0, left: left))
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
        let head = Position(epoch: Epoch(findRoom.text(1)), offset: UInt64(bitPattern: findRoom.integer(2)))
        let (statement, bound, isNewestFirst) =
            switch request.range {
            // No offset exceeds the highest possible one, which is never assigned.
            case .newest: (before, Int64.max, true)
            case .before(let offset): (before, Int64(clamping: offset), true)
            case .after(let offset): (after, Int64(clamping: offset), false)
            }
        try statement.bind(findRoom.integer(0), bound, request.rowsMax)
        defer { statement.reset() }
        var builder = PageBuilder<StoredMessage>(request)
        while try statement.step(), builder.take(try message(statement)) {}
        return HistoryPage(
            head: head, messages: isNewestFirst ? builder.elements.reversed() : builder.elements, more: builder.more,
            receipts: request.receiptsMax > 0 ? try receipts(room: findRoom.integer(0), request.receiptsMax) : [])
    }

    private func receipts(room: Int64, _ max: Int) throws(StoreError) -> [UserReceipt] {
        try receipts.bind(room, Int64(max), clock().before(by: Following.refreshInterval).milliseconds)
        defer { receipts.reset() }
        var found: [UserReceipt] = []
        while try receipts.step() {
            guard let user = UserID(receipts.text(0)) else { throw corrupt("receipt") }
            found.append(
                UserReceipt(user: user, receipt(receipts, at: 1), isFollower: receipts.integer(3) != 0))
        }
        return found
    }

    private func receipt(_ row: SQLiteStatement, at column: Int32) -> Receipt {
        Receipt(
            delivered: UInt64(bitPattern: row.integer(column)), seen: UInt64(bitPattern: row.integer(column + 1)))
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
        var builder = PageBuilder<RoomsPage.Room>(request)
        while try findRooms.step() {
            guard let name = RoomName(findRooms.text(0)) else { throw corrupt("room") }
            guard request.opens(name) else { continue }
            let head = Position(epoch: Epoch(findRooms.text(1)), offset: UInt64(bitPattern: findRooms.integer(2)))
            let room = RoomsPage.Room(
                room: name, head: head, receipt: receipt(findRooms, at: 3),
                // NULL, if there is nothing to count, reads as 0.
                changes: UInt64(clamping: findRooms.integer(6)), last: try last(room: findRooms.integer(5)))
            guard builder.take(room) else { break }
        }
        return builder.page
    }

    private func last(room: Int64) throws(StoreError) -> StoredMessage? {
        try last.bind(room)
        defer { last.reset() }
        return try last.step() ? try message(last) : nil
    }

    private func message(_ row: SQLiteStatement) throws(StoreError) -> StoredMessage {
        guard let id = CommandID(row.text(1)), let user = UserID(row.text(2)) else {
            throw corrupt("message")
        }
        let content = MessageContent(
            id: id, from: Member(user: user, name: row.isNull(3) ? nil : row.text(3)), text: row.text(5),
            replyTo: row.isNull(6) ? nil : UInt64(bitPattern: row.integer(6)), kind: try kind(row))
        return StoredMessage(
            offset: UInt64(bitPattern: row.integer(0)), at: WallTime(milliseconds: row.integer(4)), content)
    }

    private func kind(_ row: SQLiteStatement) throws(StoreError) -> MessageContent.Kind {
        guard !row.isNull(9) else {
            let amendments = row.isNull(7) ? nil : Amendments(encoded: row.text(7))
            let files = row.isNull(8) ? [] : [AttachedFile](encoded: row.text(8))
            guard let files, amendments != nil || row.isNull(7) else { throw corrupt("message") }
            return .message(amendments, files)
        }
        let columns = ChangeColumns(
            target: row.integer(9), kind: row.integer(10), reaction: row.text(11), total: row.integer(12))
        guard let change = columns.change else { throw corrupt("change") }
        return .change(change)
    }
}
