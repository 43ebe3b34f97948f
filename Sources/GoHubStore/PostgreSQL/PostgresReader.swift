internal import GoHubCore

/// Reads pages, as many as wait in one trip to the server.
final class PostgresReader: PostgresWork {
    struct Request: Sendable {
        let request: HistoryRequest
        let completion: @Sendable (Result<HistoryPage, StoreError>) -> Void
    }

    /// Each may bring a page of some hundred kilobytes.
    static let weightMax = 64

    private let options: PostgresMessageStore.Options

    init(_ options: PostgresMessageStore.Options) {
        self.options = options
    }

    func prepare(_ connection: PostgresConnection) throws(PostgresFailure) {
        // The writer warns.
        try PostgresSession.prepare(connection, options) { _ in }
        _ = try connection.run(PostgresStatements.reading, deadline: .now() + options.patience)
    }

    var chores: MonotonicTime { MonotonicTime(nanoseconds: .max) }

    func doChore(_ connection: PostgresConnection, after weight: Int) {}

    func refuse(_ request: Request, _ error: StoreError) {
        request.completion(.failure(error))
    }

    func serve(
        _ requests: [Request], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        // The epoch comes last: a room that isn't there when its page is read gets this one, if it is made.
        let commands = requests.map { Self.command($0.request) } + [.run(name: "epoch", [])]
        do throws(PostgresFailure) {
            let results = try connection.run(commands, deadline: deadline)
            let epoch = results.last.flatMap { $0.rows == 1 ? Epoch($0.text(0, 0)) : nil }
            for (request, rows) in zip(requests, results) {
                request.completion(Self.page(request.request, rows, epoch))
            }
        } catch {
            for request in requests { refuse(request, error.error) }
            throw error
        }
    }

    private static func command(_ request: HistoryRequest) -> PostgresConnection.Command {
        let (name, offset) =
            switch request.range {
            // Every offset is below the highest that there can be.
            case .newest: ("before", Int64.max)
            case .before(let offset): ("before", Int64(clamping: offset))
            case .after(let offset): ("after", Int64(clamping: offset))
            }
        return .run(
            name: name,
            [
                .text(request.room.tenant.value), .text(request.room.name.value), .bigint(offset),
                .bigint(PageCut.rowsMax(request)), .bigint(Int64(max(0, request.bytesMax))),
            ])
    }

    private static func page(
        _ request: HistoryRequest, _ rows: PostgresResult, _ epoch: Epoch?
    ) -> Result<HistoryPage, StoreError> {
        guard let epoch else {
            return .failure(StoreError("PostgreSQL: the tables have lost the epoch; restore them from a backup"))
        }
        guard rows.rows > 0 else {
            return .success(HistoryPage(head: Position(epoch: epoch, offset: 0), messages: [], more: false))
        }
        let head = Position(epoch: Epoch(rows.text(0, 0)), offset: UInt64(bitPattern: rows.integer(0, 1)))
        var cut = PageCut(request)
        for row in 0..<rows.rows where !rows.isNull(row, 2) {
            guard let message = message(rows, row) else {
                return .failure(
                    StoreError("PostgreSQL: the tables hold a message that no hub wrote; restore them from a backup"))
            }
            guard cut.take(message) else { break }
        }
        let isAscending = if case .after = request.range { true } else { false }
        return .success(
            HistoryPage(head: head, messages: isAscending ? cut.messages : cut.messages.reversed(), more: cut.more))
    }

    private static func message(_ rows: PostgresResult, _ row: Int) -> StoredMessage? {
        guard let id = CommandID(rows.text(row, 3)), let user = UserID(rows.text(row, 4)) else { return nil }
        return StoredMessage(
            offset: UInt64(bitPattern: rows.integer(row, 2)), id: id,
            from: Member(user: user, name: rows.isNull(row, 5) ? nil : rows.text(row, 5)),
            at: WallTime(milliseconds: rows.integer(row, 6)), text: rows.text(row, 7),
            replyTo: rows.isNull(row, 8) ? nil : UInt64(bitPattern: rows.integer(row, 8)))
    }
}
