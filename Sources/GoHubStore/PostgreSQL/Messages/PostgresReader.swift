internal import GoHubCore

/// Reads pages; all waiting requests share one round trip to the server.
final class PostgresReader: PostgresWork {
    enum Request: Sendable {
        case page(HistoryRequest, @Sendable (Result<HistoryPage, StoreError>) -> Void)
        case rooms(RoomsRequest, @Sendable (Result<RoomsPage, StoreError>) -> Void)
        case heads([RoomHead], @Sendable (Result<[RoomHead], StoreError>) -> Void)
        case directNews(DirectNews.Cursor, @Sendable (Result<DirectNews, StoreError>) -> Void)
    }

    /// Each may return a page of several hundred kilobytes.
    static let weightMax = 64

    private let options: PostgresOptions
    private let settings: StoreSettings
    private let origin: Int64

    init(_ options: PostgresOptions, _ settings: StoreSettings, origin: Int64) {
        self.options = options
        self.settings = settings
        self.origin = origin
    }

    func prepare(_ connection: PostgresConnection) throws(PostgresFailure) {
        try PostgresSession.prepare(connection, options, for: .reading)
        _ = try connection.run(
            PostgresStatements.reading + PostgresHeads.statements + PostgresDirectNews.reading,
            deadline: .now() + options.patience)
    }

    var chores: MonotonicTime { MonotonicTime(nanoseconds: .max) }

    func doChore(_ connection: PostgresConnection, after weight: Int) {}

    func refuse(_ request: Request, _ error: StoreError) {
        switch request {
        case .page(_, let completion): completion(.failure(error))
        case .rooms(_, let completion): completion(.failure(error))
        case .heads(_, let completion): completion(.failure(error))
        case .directNews(_, let completion): completion(.failure(error))
        }
    }

    func serve(
        _ requests: [Request], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        // The epoch comes last: a room that doesn't exist when its page is read gets this one when it is created.
        let commands = requests.flatMap { self.commands($0) } + [.run(name: "epoch", [])]
        do throws(PostgresFailure) {
            let results = try connection.run(commands, deadline: deadline)
            let epoch = results.last.flatMap { $0.rows == 1 ? Epoch($0.text(0, 0)) : nil }
            var rest = results[...]
            for request in requests {
                // There are as many results as commands.
                let rows = rest.removeFirst()
                switch request {
                case .page(let request, let completion):
                    var page = Self.page(request, rows, epoch)
                    if request.receiptsMax > 0 { page = Self.add(rest.removeFirst(), to: page) }
                    if request.sanctionsMax > 0 {
                        page = Self.addSanctions(version: rest.removeFirst(), rest.removeFirst(), to: page)
                    }
                    completion(page)
                case .rooms(let request, let completion): completion(Self.rooms(request, rows))
                case .heads(let known, let completion): completion(.success(PostgresHeads.heads(known, rows)))
                case .directNews(let cursor, let completion):
                    completion(PostgresDirectNews.news(after: cursor, rows, rest.removeFirst()))
                }
            }
        } catch {
            for request in requests { refuse(request, error.error) }
            throw error
        }
    }

    private func commands(_ request: Request) -> [PostgresConnection.Command] {
        switch request {
        case .rooms(let request, _): return [Self.command(request)]
        case .heads(let known, _): return [PostgresHeads.command(known)]
        case .directNews(let cursor, _): return PostgresDirectNews.commands(after: cursor, origin: origin)
        case .page(let request, _):
            var commands = [Self.command(request)]
            let room: [PostgresParameter] = [.text(request.room.tenant.value), .text(request.room.name.value)]
            if request.receiptsMax > 0 {
                // After the page: a receipt may then be ahead of the page's head, but none is behind one that was known
                // before.
                let freshAfter = settings.clock().before(by: Following.refreshInterval)
                commands.append(
                    .run(
                        name: "room_receipts",
                        room + [.bigint(Int64(request.receiptsMax)), .bigint(freshAfter.milliseconds)]))
            }
            if request.sanctionsMax > 0 {
                // The version first, so that it is never newer than the rows.
                commands.append(.run(name: "sanctions_version", room))
                commands.append(.run(name: "room_sanctions", room + [.bigint(Int64(request.sanctionsMax))]))
            }
            return commands
        }
    }

    private static func command(_ request: RoomsRequest) -> PostgresConnection.Command {
        let patterns = request.grants.entries.filter { $0.can.contains(.read) }.map(\.match.description)
        return .run(
            name: "rooms",
            [
                // Every name comes after the empty one.
                .text(request.user.tenant.value), .text(request.user.user.value), .text(request.after?.value ?? ""),
                .bigint(Int64(min(max(0, request.roomsMax), 1_000_000)) + 1),
                .texts(patterns.filter { !$0.hasSuffix("*") }),
                .texts(patterns.filter { $0.hasSuffix("*") }.map { String($0.dropLast()) }),
            ])
    }

    private static func command(_ request: HistoryRequest) -> PostgresConnection.Command {
        let (name, offset) =
            switch request.range {
            // Every offset is below the highest possible one.
            case .newest: ("before", Int64.max)
            case .before(let offset): ("before", Int64(clamping: offset))
            case .after(let offset): ("after", Int64(clamping: offset))
            }
        return .run(
            name: name,
            [
                .text(request.room.tenant.value), .text(request.room.name.value), .bigint(offset),
                .bigint(request.rowsMax), .bigint(Int64(max(0, request.bytesMax))),
            ])
    }

    private static func page(
        _ request: HistoryRequest, _ rows: PostgresResult, _ epoch: Epoch?
    ) -> Result<HistoryPage, StoreError> {
        guard let epoch else {
            return .failure(
                StoreError(.corrupt, "PostgreSQL: the epoch is missing from the tables. Restore them from a backup."))
        }
        guard rows.rows > 0 else {
            return .success(HistoryPage(head: Position(epoch: epoch, offset: 0), messages: [], more: false))
        }
        let head = PostgresRow<PageColumn>(rows, 0).position(epoch: .epoch, offset: .head)
        var builder = PageBuilder<StoredMessage>(request)
        for row in rows.each(PageColumn.self) {
            let entry = row.rest(MessageColumn.self)
            guard !entry.isNull(.offset) else { continue }
            guard let message = StoredMessage(entry: entry) else {
                return .failure(.corruptRow("message or change", in: "PostgreSQL"))
            }
            guard builder.take(message) else { break }
        }
        let isAscending = if case .after = request.range { true } else { false }
        return .success(
            HistoryPage(
                head: head, messages: isAscending ? builder.elements : builder.elements.reversed(), more: builder.more))
    }

    private static func add(
        _ rows: PostgresResult, to page: Result<HistoryPage, StoreError>
    ) -> Result<HistoryPage, StoreError> {
        guard case .success(var page) = page else { return page }
        for row in rows.each(ReceiptColumn.self) {
            guard let user = UserID(row.text(.user)) else {
                return .failure(.corruptRow("receipt", in: "PostgreSQL"))
            }
            page.receipts.append(
                UserReceipt(
                    user: user, row.receipt(delivered: .delivered, seen: .seen), isFollower: row.flag(.isFollower)))
        }
        return .success(page)
    }

    private static func addSanctions(
        version: PostgresResult, _ rows: PostgresResult, to page: Result<HistoryPage, StoreError>
    ) -> Result<HistoryPage, StoreError> {
        guard case .success(var page) = page else { return page }
        for row in rows.each(SanctionColumn.self) {
            guard let user = UserID(row.text(.user)) else {
                return .failure(.corruptRow("sanction", in: "PostgreSQL"))
            }
            let left = Milliseconds(UInt64(max(0, row.integer(.left))))
            page.sanctions.append(UserSanction(user: user, isBan: row.flag(.isBan), left: left))
        }
        page.sanctionsVersion = version.rows == 1 ? UInt64(bitPattern: version.integer(0, 0)) : 0
        return .success(page)
    }

    private static func rooms(_ request: RoomsRequest, _ rows: PostgresResult) -> Result<RoomsPage, StoreError> {
        var builder = PageBuilder<RoomsPage.Room>(request)
        for row in rows.each(RoomColumn.self) {
            guard let name = RoomName(row.text(.name)) else {
                return .failure(.corruptRow("room", in: "PostgreSQL"))
            }
            let message = row.rest(MessageColumn.self)
            var last: StoredMessage?
            if !message.isNull(.offset) {
                last = StoredMessage(message: message)
                guard last != nil else { return .failure(.corruptRow("message", in: "PostgreSQL")) }
            }
            let room = RoomsPage.Room(
                room: name, head: row.position(epoch: .epoch, offset: .head),
                receipt: row.receipt(delivered: .delivered, seen: .seen),
                changes: UInt64(clamping: row.integer(.changes)), last: last)
            guard builder.take(room) else { break }
        }
        return .success(builder.page)
    }
}
