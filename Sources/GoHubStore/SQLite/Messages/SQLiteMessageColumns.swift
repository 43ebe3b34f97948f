internal import GoHubCore

/// The columns of messages and changes in SQLite: their names in statements, and drafts as parameters. Rows are read by
/// `MessageColumn`.
enum SQLiteMessageColumns {
    // MARK: Writing

    /// The columns of `message` that a draft fills.
    private enum DraftColumn: String, CaseIterable {
        case room, offset = "\"offset\"", id, sender = "user", senderName = "name", at, text, replyTo = "reply_to"
    }

    /// The columns of `fact`.
    private enum ChangeColumn: String, CaseIterable {
        case room, offset = "\"offset\"", id, sender = "user", senderName = "name", at
        case target, kind, reaction, total, number
    }

    static let insertMessage = insert(DraftColumn.self, into: "message")
    static let insertChange = insert(ChangeColumn.self, into: "fact")

    /// The parameters have the order of the columns.
    private static func insert<Column: CaseIterable & RawRepresentable<String>>(
        _ columns: Column.Type, into table: String
    ) -> String {
        let names = columns.allCases.map(\.rawValue)
        let parameters = names.indices.map { "?\($0 + 1)" }
        return """
            INSERT INTO \(table) (\(names.joined(separator: ", "))) VALUES (\(parameters.joined(separator: ", ")))
            """
    }

    /// - Parameter statement: `insertMessage`.
    static func bind(
        _ draft: MessageDraft, room: Int64, offset: Int64, to statement: SQLiteStatement
    ) throws(StoreError) {
        var index: Int32 = 0
        for column in DraftColumn.allCases {
            index += 1
            switch column {
            case .room: try statement.bind(room, at: index)
            case .offset: try statement.bind(offset, at: index)
            case .id: try statement.bind(draft.id.value, at: index)
            case .sender: try statement.bind(draft.from.user.value, at: index)
            case .senderName: try draft.from.nameColumn.bind(to: statement, at: index)
            case .at: try statement.bind(draft.receivedAt.milliseconds, at: index)
            case .text: try statement.bind(draft.text, at: index)
            case .replyTo: try draft.replyTo.map { Int64(bitPattern: $0) }.bind(to: statement, at: index)
            }
        }
    }

    /// - Parameters:
    ///   - draft: the request.
    ///   - number: the rank of the change in its room.
    ///   - statement: `insertChange`.
    static func bind(
        _ change: ChangeColumns, _ draft: MessageDraft, room: Int64, offset: Int64, number: Int64,
        to statement: SQLiteStatement
    ) throws(StoreError) {
        var index: Int32 = 0
        for column in ChangeColumn.allCases {
            index += 1
            switch column {
            case .room: try statement.bind(room, at: index)
            case .offset: try statement.bind(offset, at: index)
            case .id: try statement.bind(draft.id.value, at: index)
            case .sender: try statement.bind(draft.from.user.value, at: index)
            case .senderName: try draft.from.nameColumn.bind(to: statement, at: index)
            case .at: try statement.bind(draft.receivedAt.milliseconds, at: index)
            case .target: try statement.bind(change.target, at: index)
            case .kind: try statement.bind(change.kind, at: index)
            case .reaction: try statement.bind(change.reaction, at: index)
            case .total: try statement.bind(change.total, at: index)
            case .number: try statement.bind(number, at: index)
            }
        }
    }

    // MARK: Reading

    /// All columns, selected from `message`.
    static let ofMessage = MessageColumn.allCases.map(\.inMessage).joined(separator: ", ")

    /// The same columns, selected from `fact`. An edit has the current text of its message.
    static let ofChange = MessageColumn.allCases.map(\.inChange).joined(separator: ", ")
}

extension MessageColumn {
    private var name: String {
        switch self {
        case .offset: "\"offset\""
        case .sender: "user"
        case .senderName: "name"
        case .replyTo: "reply_to"
        case .id, .at, .text, .amendments, .files, .target, .kind, .reaction, .total: "\(self)"
        }
    }

    fileprivate var inMessage: String { isOnlyOfChanges ? "NULL AS \(name)" : name }

    fileprivate var inChange: String {
        switch self {
        case .offset, .id, .sender, .senderName, .at, .target, .kind, .reaction, .total: name
        case .text:
            """
            CASE kind WHEN \(ChangeColumns.edited) THEN coalesce((
                SELECT text FROM message WHERE message.room = fact.room AND message."offset" = fact.target), '')
                ELSE '' END
            """
        case .replyTo, .amendments, .files: "NULL"
        }
    }
}
