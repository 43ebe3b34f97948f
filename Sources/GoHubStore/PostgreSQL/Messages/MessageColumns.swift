internal import GoHubCore

/// The columns of messages and changes in PostgreSQL: their names in statements, and drafts as parameters. Rows are
/// read by `MessageColumn`.
///
/// Each column list that statements write or select is here, beside the code for its parameters. So a new column has
/// one place.
enum MessageColumns {
    // MARK: Writing messages

    /// The columns of `gohub_message` that a draft fills.
    private enum DraftColumn: String, CaseIterable {
        // The order of `gohub_append_new`'s parameters.
        case sender, id, senderName = "sender_name", at, text, replyTo = "reply_to"

        var type: PostgresType {
            switch self {
            case .sender, .id, .senderName, .text: .textArray
            case .at, .replyTo: .bigintArray
            }
        }

        var typeName: String {
            switch self {
            case .sender, .id, .senderName, .text: "text[]"
            case .at, .replyTo: "bigint[]"
            }
        }

        func parameter(of drafts: [MessageDraft]) -> PostgresParameter {
            switch self {
            case .sender: .texts(drafts.lazy.map(\.from.user.value))
            case .id: .texts(drafts.lazy.map(\.id.value))
            case .senderName: .texts(drafts.lazy.map(\.from.nameColumn))
            case .at: .bigints(drafts.lazy.map(\.receivedAt.milliseconds))
            case .text: .texts(drafts.lazy.map(\.text))
            case .replyTo: .bigints(drafts.lazy.map { $0.replyTo.map { Int64(bitPattern: $0) } })
            }
        }
    }

    /// The columns that a draft fills.
    static let ofDraft = list(DraftColumn.allCases.map(\.rawValue))

    /// The parameters of `ofDraft` in a statement, behind a number of others.
    static func placeholders(after count: Int) -> String {
        list(DraftColumn.allCases.enumerated().map { "$\(count + 1 + $0)::\($1.typeName)" })
    }

    /// The types of a statement's parameters, in the order of `parameters`.
    static func types(after first: [PostgresType]) -> [PostgresType] { first + DraftColumn.allCases.map(\.type) }

    /// Each column of `ofDraft` as an array with one element per draft, behind a statement's other parameters.
    static func parameters(of drafts: [MessageDraft], after first: [PostgresParameter]) -> [PostgresParameter] {
        first + DraftColumn.allCases.map { $0.parameter(of: drafts) }
    }

    // MARK: Writing changes

    /// The columns of `gohub_fact`.
    private enum ChangeColumn: String, CaseIterable {
        case room, offset = "\"offset\"", id, sender, senderName = "sender_name", at
        case target, kind, reaction, total, number

        var type: PostgresType {
            switch self {
            case .room, .offset, .at, .target, .kind, .total, .number: .bigint
            case .id, .sender, .reaction: .text
            // As an array with one element, which may be NULL.
            case .senderName: .textArray
            }
        }

        func value(of parameter: String) -> String {
            switch self {
            case .senderName: "(\(parameter)::text[])[1]"
            case .room, .offset, .id, .sender, .at, .target, .kind, .reaction, .total, .number: parameter
            }
        }
    }

    /// Stores a change. Its parameters are those of `change`.
    static let insertChange = """
        INSERT INTO gohub_fact (\(list(ChangeColumn.allCases.map(\.rawValue))))
        SELECT \(list(ChangeColumn.allCases.enumerated().map { $1.value(of: "$\($0 + 1)") }))
        """

    static let typesOfChange = ChangeColumn.allCases.map(\.type)

    /// - Parameters:
    ///   - draft: the request.
    ///   - number: the rank of the change in its room.
    static func parameters(
        of change: ChangeColumns, _ draft: MessageDraft, room: Int64, offset: Int64, number: Int64
    ) -> [PostgresParameter] {
        ChangeColumn.allCases.map { column in
            switch column {
            case .room: .bigint(room)
            case .offset: .bigint(offset)
            case .id: .text(draft.id.value)
            case .sender: .text(draft.from.user.value)
            case .senderName: .texts([draft.from.nameColumn])
            case .at: .bigint(draft.receivedAt.milliseconds)
            case .target: .bigint(change.target)
            case .kind: .bigint(change.kind)
            case .reaction: .text(change.reaction)
            case .total: .bigint(change.total)
            case .number: .bigint(number)
            }
        }
    }

    // MARK: Reading

    /// The columns of a message, in a statement with several tables.
    static func ofMessage(_ table: String) -> String {
        list(MessageColumn.allCases.filter { !$0.isOnlyOfChanges }.map { "\(table).\($0.name)" })
    }

    /// All columns, which are those of an entry.
    static func ofEntry(_ table: String) -> String { list(MessageColumn.allCases.map { "\(table).\($0.name)" }) }

    /// The columns of an entry, selected from `gohub_message`.
    static let entryOfMessage = list(MessageColumn.allCases.map(\.inMessage))

    /// The columns of an entry, selected from `gohub_fact` as `fact`. An edit has the current text of its message.
    static let entryOfChange = list(MessageColumn.allCases.map(\.inChange))

    private static func list(_ columns: [String]) -> String { columns.joined(separator: ", ") }
}

extension MessageColumn {
    fileprivate var name: String {
        switch self {
        case .offset: "\"offset\""
        case .senderName: "sender_name"
        case .replyTo: "reply_to"
        case .id, .sender, .at, .text, .amendments, .files, .target, .kind, .reaction, .total: "\(self)"
        }
    }

    fileprivate var inMessage: String {
        switch self {
        case .offset, .id, .sender, .senderName, .at, .text, .replyTo, .amendments, .files: name
        case .target, .kind, .total: "NULL::bigint AS \(name)"
        case .reaction: "NULL::text AS \(name)"
        }
    }

    fileprivate var inChange: String {
        switch self {
        case .offset, .id, .sender, .senderName, .at, .target, .kind, .reaction, .total: "fact.\(name)"
        case .text:
            """
            CASE WHEN fact.kind = \(ChangeColumns.edited) THEN coalesce((
                SELECT message.text FROM gohub_message message
                WHERE message.room = fact.room AND message."offset" = fact.target LIMIT 1), '')
                ELSE '' END
            """
        case .replyTo, .amendments, .files: "NULL"
        }
    }
}
