extension StoredMessage {
    /// What the message holds; none of a fact, or of a message that was deleted.
    public var files: [AttachedFile] { content.files }

    /// A message whose files were found.
    package init(offset: Offset, at: WallTime, _ files: [AttachedFile], of draft: MessageDraft) {
        self.init(
            offset: offset, at: at,
            MessageContent(
                id: draft.id, from: draft.from, text: draft.text, replyTo: draft.replyTo, kind: .message(nil, files)))
    }
}

extension MessageDraft {
    /// What the message is to hold.
    public var files: [FileReference] {
        if case .attaching(let files) = content.kind { files } else { [] }
    }

    /// Whether it is a message that nothing has to be looked up for.
    package var isPlain: Bool {
        if case .plain = content.kind { true } else { false }
    }
}

extension MessageContent {
    var files: [AttachedFile] {
        if case .attached(let files, _) = kind { files } else { [] }
    }
}

extension MessageContent.Kind {
    /// Of a message, with what facts have made of it and the files that it holds.
    package static func message(_ amendments: Amendments?, _ files: [AttachedFile]) -> MessageContent.Kind {
        guard files.isEmpty else { return .attached(files, amendments) }
        return amendments.map { .amended($0) } ?? .plain
    }
}

extension [FileReference] {
    /// The files that were found for them, with the senders' words.
    ///
    /// - Returns: `nil` unless one was found for each.
    package func attached(_ found: [FileID: StoredFile]) -> [AttachedFile]? {
        var files: [AttachedFile] = []
        for reference in self {
            guard let file = found[reference.id] else { return nil }
            files.append(AttachedFile(file, alt: reference.alt))
        }
        return files
    }
}
