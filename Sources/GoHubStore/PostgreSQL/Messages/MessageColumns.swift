internal import GoHubCore

/// The columns of a message in PostgreSQL: their names in statements, a draft as parameters, and a row as a message.
///
/// Each column list that statements write or select is here, beside the code for its parameters and rows. So a new
/// column has one place.
enum MessageColumns {
    // MARK: Writing

    /// The columns that a draft fills.
    static let ofDraft = "sender, id, sender_name, at, text, reply_to"

    /// The types of a statement's parameters, in the order of `parameters`.
    static func types(after first: [PostgresType], before last: [PostgresType]) -> [PostgresType] {
        first + [.textArray, .textArray, .textArray, .bigintArray, .textArray, .bigintArray] + last
    }

    /// Each column of `ofDraft` as an array with one element per draft, between a statement's other parameters.
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

    /// The columns of a message, followed by those of an entry that may be a change.
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

    /// The columns of a message.
    static let ofMessage = list(Column.allCases.prefix { $0 != .target }.map(\.name))

    /// The columns of a message, in a statement with several tables.
    static func ofMessage(_ table: String) -> String {
        list(Column.allCases.prefix { $0 != .target }.map { "\(table).\($0.name)" })
    }

    /// The columns of an entry, which is a message if `target` is NULL, and a change otherwise.
    static func ofEntry(_ table: String) -> String { list(Column.allCases.map { "\(table).\($0.name)" }) }

    private static func list(_ names: [String]) -> String { names.joined(separator: ", ") }

    /// One row's columns, from `start` on.
    private struct Row {
        let rows: PostgresResult
        let row: Int
        let start: Int

        func isNull(_ column: Column) -> Bool { rows.isNull(row, start + column.rawValue) }
        func integer(_ column: Column) -> Int64 { rows.integer(row, start + column.rawValue) }
        func text(_ column: Column) -> String { rows.text(row, start + column.rawValue) }
        func optionalText(_ column: Column) -> String? { isNull(column) ? nil : text(column) }
    }

    /// - Parameter start: the first column of `ofEntry`.
    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    static func entry(_ rows: PostgresResult, _ row: Int, at start: Int) -> StoredMessage? {
        let row = Row(rows: rows, row: row, start: start)
        guard !row.isNull(.target) else { return message(row) }
        let columns = ChangeColumns(
            target: row.integer(.target), kind: row.integer(.kind), reaction: row.text(.reaction),
            total: row.integer(.total))
        return columns.change.flatMap { message(row, .change($0)) }
    }

    /// - Parameter start: the first column of `ofMessage`.
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
