extension StoredMessage {
    /// The message's files; none for a change or a deleted message.
    public var files: [AttachedFile] { content.files }

    /// The entry of a message with files.
    ///
    /// - Parameters:
    ///   - offset: the message's offset.
    ///   - at: the time of the message.
    ///   - files: the files of the draft's references, in their order: `attached(_:)`.
    ///   - draft: the message.
    public init(offset: Offset, at: WallTime, _ files: [AttachedFile], of draft: MessageDraft) {
        self.init(
            offset: offset, at: at,
            MessageContent(
                id: draft.id, from: draft.from, text: draft.text, replyTo: draft.replyTo, kind: .message(nil, files)))
    }
}

extension MessageDraft {
    /// The files to attach to the message.
    public var files: [FileReference] {
        if case .attaching(let files) = content.kind { files } else { [] }
    }

    /// Whether it is a message that needs no look-up.
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
    /// The content of a message with its changes and its files.
    package static func message(_ amendments: Amendments?, _ files: [AttachedFile]) -> MessageContent.Kind {
        guard files.isEmpty else { return .attached(files, amendments) }
        return amendments.map { .amended($0) } ?? .plain
    }
}

extension [FileReference] {
    /// The files found for the references, with the senders' descriptions.
    ///
    /// - Parameter found: the complete files of the message's room, by id.
    /// - Returns: `nil` unless every file was found. The message is then refused with `fileNotFound`.
    public func attached(_ found: [FileID: StoredFile]) -> [AttachedFile]? {
        var files: [AttachedFile] = []
        for reference in self {
            guard let file = found[reference.id] else { return nil }
            files.append(AttachedFile(file, alt: reference.alt))
        }
        return files
    }
}
