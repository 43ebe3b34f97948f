internal import GoHubCore

/// The columns of an entry in the rows of both databases: those of a message, then those that only a change has. Each
/// database has its own names for them.
enum MessageColumn: Int, CaseIterable {
    case offset, id, sender, senderName, at, text, replyTo, amendments, files
    case target, kind, reaction, total

    /// Whether messages don't have it.
    var isOnlyOfChanges: Bool {
        switch self {
        case .offset, .id, .sender, .senderName, .at, .text, .replyTo, .amendments, .files: false
        case .target, .kind, .reaction, .total: true
        }
    }
}

extension StoredMessage {
    /// - Parameter row: with all columns. It is a message if `target` is NULL, and a change otherwise.
    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    init?(entry row: some ResultRow<MessageColumn>) {
        guard !row.isNull(.target) else {
            self.init(message: row)
            return
        }
        guard let change = ChangeColumns(row).change else { return nil }
        self.init(row, .change(change))
    }

    /// - Parameter row: with the columns of a message.
    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    init?(message row: some ResultRow<MessageColumn>) {
        let isAmended = !row.isNull(.amendments)
        let amendments = isAmended ? Amendments(encoded: row.text(.amendments)) : nil
        let files = row.isNull(.files) ? [] : [AttachedFile](encoded: row.text(.files))
        guard let files, amendments != nil || !isAmended else { return nil }
        self.init(row, .message(amendments, files))
    }

    private init?(_ row: some ResultRow<MessageColumn>, _ kind: MessageContent.Kind) {
        guard let id = CommandID(row.text(.id)), let user = UserID(row.text(.sender)) else { return nil }
        let content = MessageContent(
            id: id, from: Member(user: user, name: row.optionalText(.senderName)), text: row.text(.text),
            replyTo: row.isNull(.replyTo) ? nil : row.offset(.replyTo), kind: kind)
        self.init(offset: row.offset(.offset), at: row.time(.at), content)
    }
}
