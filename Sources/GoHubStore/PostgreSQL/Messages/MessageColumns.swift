internal import GoHubCore

/// The columns of a message in PostgreSQL: what statements call them, a draft as parameters, and a row as a message.
///
/// What a statement writes or selects of a message is one of the lists here, and its parameters and its rows are made
/// and read beside them. So a new column has one place.
enum MessageColumns {
    // MARK: Writing

    /// What a draft brings.
    static let ofDraft = "sender, id, sender_name, at, text, reply_to"

    /// The types of a statement's parameters, which are made by `parameters`.
    static func types(after first: [PostgresType], before last: [PostgresType]) -> [PostgresType] {
        first + [.textArray, .textArray, .textArray, .bigintArray, .textArray, .bigintArray] + last
    }

    /// Each column of `ofDraft` as an array with a place for each draft, between a statement's other parameters.
    static func parameters(
        of drafts: [MessageDraft], after first: [PostgresParameter], before last: [PostgresParameter]
    ) -> [PostgresParameter] {
        let columns: [PostgresParameter] = [
            .texts(drafts.lazy.map(\.from.user.value)), .texts(drafts.lazy.map(\.id.value)),
            .texts(drafts.lazy.map(\.from.nameColumn)), .bigints(drafts.lazy.map(\.receivedAt.milliseconds)),
            .texts(drafts.lazy.map(\.text)),
            .bigints(drafts.lazy.map { $0.replyTo.map { Int64(bitPattern: $0) } }),
        ]
        return first + columns + last
    }

    // MARK: Reading

    /// What a message is read from, and what an entry that may be a change has behind it.
    private enum Column: Int, CaseIterable {
        case offset, id, sender, senderName, at, text, replyTo, amendments, files
        case target, kind, reaction, total

        var name: String {
            switch self {
            case .offset: "\"offset\""
            case .senderName: "sender_name"
            case .replyTo: "reply_to"
            default: "\(self)"
            }
        }
    }

    /// Of a message.
    static let ofMessage = list(Column.allCases.prefix { $0 != .target }.map(\.name))

    /// Of a message, in a statement with several tables.
    static func ofMessage(_ table: String) -> String {
        list(Column.allCases.prefix { $0 != .target }.map { "\(table).\($0.name)" })
    }

    /// Of an entry, which is a message or a change: where `target` is NULL, it is a message.
    static func ofEntry(_ table: String) -> String { list(Column.allCases.map { "\(table).\($0.name)" }) }

    private static func list(_ names: [String]) -> String { names.joined(separator: ", ") }

    /// One row's columns, of which the first is at `start`.
    private struct Row {
        let rows: PostgresResult
        let row: Int
        let start: Int

        func isNull(_ column: Column) -> Bool { rows.isNull(row, start + column.rawValue) }
        func integer(_ column: Column) -> Int64 { rows.integer(row, start + column.rawValue) }
        func text(_ column: Column) -> String { rows.text(row, start + column.rawValue) }
        func optionalText(_ column: Column) -> String? { isNull(column) ? nil : text(column) }
    }

    /// - Parameter start: where the columns of `ofEntry` begin.
    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    static func entry(_ rows: PostgresResult, _ row: Int, at start: Int) -> StoredMessage? {
        let row = Row(rows: rows, row: row, start: start)
        guard !row.isNull(.target) else { return message(row) }
        let columns = ChangeColumns(
            target: row.integer(.target), kind: row.integer(.kind), reaction: row.text(.reaction),
            total: row.integer(.total))
        return columns.change.flatMap { message(row, .change($0)) }
    }

    /// - Parameter start: where the columns of `ofMessage` begin.
    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    static func message(_ rows: PostgresResult, _ row: Int, at start: Int) -> StoredMessage? {
        message(Row(rows: rows, row: row, start: start))
    }

    private static func message(_ row: Row, _ change: MessageContent.Kind? = nil) -> StoredMessage? {
        guard let id = CommandID(row.text(.id)), let user = UserID(row.text(.sender)) else { return nil }
        let isAmended = !row.isNull(.amendments)
        let amendments = isAmended ? Amendments(encoded: row.text(.amendments)) : nil
        let files = row.isNull(.files) ? [] : [AttachedFile](encoded: row.text(.files))
        guard let files, amendments != nil || !isAmended else { return nil }
        let content = MessageContent(
            id: id, from: Member(user: user, name: row.optionalText(.senderName)), text: row.text(.text),
            replyTo: row.isNull(.replyTo) ? nil : UInt64(bitPattern: row.integer(.replyTo)),
            kind: change ?? .message(amendments, files))
        return StoredMessage(
            offset: UInt64(bitPattern: row.integer(.offset)), at: WallTime(milliseconds: row.integer(.at)), content)
    }
}
