extension StoredMessage {
    /// The entry's change of another message; `nil` for a message.
    public var change: MessageChange? {
        if case .change(let change) = content.kind { change } else { nil }
    }

    /// The result of the message's changes; `nil` for an unchanged message and for a change.
    public var amendments: Amendments? {
        switch content.kind {
        case .amended(let amendments): amendments
        case .attached(_, let amendments): amendments
        case .plain, .change, .changeRequest, .attaching: nil
        }
    }

    /// The entry of an applied change request: what the store keeps, and every subscriber receives.
    ///
    /// - Parameters:
    ///   - offset: the entry's own offset.
    ///   - at: the time of the change.
    ///   - change: the change of the decision.
    ///   - draft: the change request.
    public init(offset: Offset, at: WallTime, _ change: MessageChange, of draft: MessageDraft) {
        self.init(
            offset: offset, at: at,
            MessageContent(id: draft.id, from: draft.from, text: draft.text, kind: .change(change)))
    }

    /// The message after a change: the rule of every store and client. The store applies it to the message that it
    /// keeps, so that pages show the current state.
    ///
    /// A deleted message stays deleted, and loses its text, its files and its reactions.
    ///
    /// - Parameter entry: the change, with the text if it is an edit. An entry without a change changes nothing.
    public func amended(by entry: StoredMessage) -> StoredMessage {
        guard let change = entry.change, self.change == nil else { return self }
        var amendments = amendments ?? Amendments()
        guard amendments.deleted == nil else { return self }
        amendments.apply(change.kind, by: entry.from.user, Amendments.Mark(offset: entry.offset, at: entry.at))
        return with(
            text: change.changesText ? entry.text : text,
            .message(amendments, amendments.deleted == nil ? files : []))
    }

    package func with(text: String, _ kind: MessageContent.Kind) -> StoredMessage {
        StoredMessage(
            offset: offset, at: at,
            MessageContent(id: id, from: from, text: text, replyTo: replyTo, kind: kind))
    }
}

extension MessageContent {
    /// Its weight in an answer, a tail and the in-memory store: the bytes of its text, and approximately those of its
    /// reactions and files.
    package var weight: Int {
        switch kind {
        case .plain: text.utf8.count
        case .amended(let amendments): text.utf8.count + amendments.weight
        case .attached(let files, let amendments): text.utf8.count + files.weight + (amendments?.weight ?? 0)
        case .change, .changeRequest, .attaching: text.utf8.count
        }
    }

    var isChange: Bool {
        if case .change = kind { true } else { false }
    }
}

/// A gapless part of a room's history.
extension MutableCollection where Self: RandomAccessCollection, Element == StoredMessage, Index == Int {
    /// Applies a later change: to its message, if it is in this part, and to earlier edits of it, which show the
    /// current text.
    mutating func amend(by entry: StoredMessage) {
        guard let change = entry.change, let first = first?.offset else { return }
        if change.target >= first, change.target - first < UInt64(count) {
            let index = startIndex + Int(clamping: change.target - first)
            if self[index].offset == change.target { self[index] = self[index].amended(by: entry) }
        }
        guard change.changesText else { return }
        for index in indices where self[index].content.isChange {
            guard let earlier = self[index].change, earlier.target == change.target, earlier.kind == .edited else {
                continue
            }
            self[index] = self[index].with(text: entry.text, .change(earlier))
        }
    }
}
