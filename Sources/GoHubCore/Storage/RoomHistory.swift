internal import DequeModule

/// One room's newest messages and changes, in memory.
struct RoomHistory {
    /// A hash of (user, id), computed once for each message.
    private struct IDHash: Hashable {
        let value: Int

        init(_ content: MessageContent, mask: Int) {
            var hasher = Hasher()
            hasher.combine(content.from.user)
            hasher.combine(content.id)
            value = hasher.finalize() & mask
        }

        func hash(into hasher: inout Hasher) { hasher.combine(value) }

        /// Called by dictionaries; see `RoomID`.
        func _rawHashValue(seed: Int) -> Int { value.mixed(with: seed) }
    }

    private struct Entry {
        var message: StoredMessage
        var idHash: IDHash
    }

    private let epoch: Epoch
    private var head: Offset = 0
    private var entries: Deque<Entry> = []
    private var bytes = 0
    private var lastMessage: Offset = 0
    /// The locations of changes, and the reactions by user.
    private var changes = RoomChanges()
    /// The newest message of each hash.
    private var offsets: [IDHash: Offset] = [:]
    private(set) var usedAt: UInt64 = 0

    init(epoch: Epoch) {
        self.epoch = epoch
    }

    /// - Parameter files: the source of messages' files; `nil` for none.
    /// - Returns: also the growth of the room's weight.
    mutating func append(
        _ draft: MessageDraft, usedAt clock: UInt64, capacity: InMemoryMessageStore.Capacity, idHashMask: Int,
        files: (any RoomFiles)?
    ) -> (AppendOutcome, growth: Int) {
        usedAt = clock
        let before = weight
        let idHash = IDHash(draft.content, mask: idHashMask)
        if let known = offsets[idHash], let first = firstMessage(with: draft.content, idHash, newest: known) {
            return (.duplicate(Position(epoch: epoch, offset: first.offset), at: first.at), 0)
        }
        let outcome: AppendOutcome
        switch draft.content.kind {
        case .changeRequest(let request):
            switch request.decision(by: draft.from.user, on: target(of: request, by: draft.from.user)) {
            case .unchanged: return (.unchanged(at: draft.receivedAt), 0)
            case .refused(let refusal): return (.refused(refusal), 0)
            case .apply(let change):
                head += 1
                if case .deleted = change.kind { files?.release(heldFiles(at: change.target), at: draft.receivedAt) }
                apply(change, draft, idHash)
                outcome = .applied(Position(epoch: epoch, offset: head), at: draft.receivedAt, change)
            }
        case .attaching(let references):
            let found = files?.use(references.map(\.id), in: draft.room) ?? []
            let held = references.attached(Dictionary(found.map { ($0.id, $0) }) { first, _ in first })
            guard let held else { return (.refused(.fileNotFound), 0) }
            head += 1
            lastMessage = head
            let message = StoredMessage(offset: head, at: draft.receivedAt, held, of: draft)
            entries.append(Entry(message: message, idHash: idHash))
            bytes += message.content.weight
            outcome = .attached(Position(epoch: epoch, offset: head), at: draft.receivedAt, held)
        case .plain, .amended, .attached, .change:
            head += 1
            lastMessage = head
            entries.append(
                Entry(message: StoredMessage(offset: head, at: draft.receivedAt, draft.content), idHash: idHash))
            bytes += draft.content.text.utf8.count
            outcome = .stored(Position(epoch: epoch, offset: head), at: draft.receivedAt)
        }
        offsets[idHash] = head
        while entries.count > capacity.messagesPerRoomMax || bytes > capacity.bytesPerRoomMax,
            entries.count > 1, let oldest = entries.popFirst()
        {
            bytes -= oldest.message.content.weight + changes.forget(oldest.message.offset)
            if case .attached(let held, _) = oldest.message.content.kind {
                files?.release(held.map(\.id), at: draft.receivedAt)
            }
            if offsets[oldest.idHash] == oldest.message.offset { offsets[oldest.idHash] = nil }
        }
        return (outcome, weight - before)
    }

    // MARK: Files

    /// The files of all messages, repeated for each use.
    var heldFiles: [FileID] { entries.flatMap { $0.message.files.map(\.id) } }

    private func heldFiles(at offset: Offset) -> [FileID] { message(at: offset)?.files.map(\.id) ?? [] }

    // MARK: Facts

    private func target(of request: ChangeRequest, by user: UserID) -> ChangeRequest.Target? {
        guard let message = message(at: request.target), message.change == nil else { return nil }
        return ChangeRequest.Target(
            author: message.from.user, amendments: message.amendments ?? Amendments(),
            own: changes.reactions(of: user, to: request.target))
    }

    /// Applies a change to the message. The text is stored once: the change's entry has none.
    private mutating func apply(_ change: MessageChange, _ draft: MessageDraft, _ idHash: IDHash) {
        let entry = StoredMessage(offset: head, at: draft.receivedAt, change, of: draft)
        if let index = entryIndex(at: change.target) {
            bytes -= entries[index].message.content.weight
            entries[index].message = entries[index].message.amended(by: entry)
            bytes += entries[index].message.content.weight
        }
        bytes += changes.note(change, at: head, by: draft.from.user)
        entries.append(Entry(message: entry.with(text: "", .change(change)), idHash: idHash))
    }

    /// The number of changes after an offset.
    func changeCount(after offset: Offset) -> Offset { changes.count(after: offset) }

    /// An entry in the form that pages show: an edit with its message's text.
    private func shown(_ entry: StoredMessage) -> StoredMessage {
        guard case .change(let change) = entry.content.kind, change.kind == .edited,
            let target = message(at: change.target)
        else { return entry }
        return entry.with(text: target.text, .change(change))
    }

    /// - Parameter newest: the newest message with this hash. Two ids with one hash occur once in 2⁶⁴; then all
    ///   messages are searched.
    private func firstMessage(with content: MessageContent, _ hash: IDHash, newest: Offset) -> StoredMessage? {
        func isSame(_ message: StoredMessage) -> Bool {
            message.content.id == content.id && message.content.from.user == content.from.user
        }
        if let message = message(at: newest), isSame(message) { return message }
        return entries.first { $0.idHash == hash && isSame($0.message) }?.message
    }

    var position: Position { Position(epoch: epoch, offset: head) }
    var newest: StoredMessage? { message(at: lastMessage) }

    /// The texts, and the approximate size of the rest of the messages.
    var weight: Int { bytes + 256 * entries.count }

    mutating func page(_ request: HistoryRequest, usedAt clock: UInt64) -> HistoryPage {
        usedAt = clock
        return page(request)
    }

    func page(_ request: HistoryRequest) -> HistoryPage {
        let candidates: Deque<Entry>.SubSequence
        let takesNewest: Bool
        switch request.range {
        case .newest: (candidates, takesNewest) = (entries[...], true)
        case .before(let offset): (candidates, takesNewest) = (entries[..<index(of: offset)], true)
        case .after(let offset):
            // Offset + 1 can't overflow: an offset at the end of its range is after every message.
            let first = offset == .max ? entries.endIndex : index(of: offset + 1)
            (candidates, takesNewest) = (entries[first...], false)
        }
        var bytesLeft = request.bytesMax
        var taken: [StoredMessage] = []
        func take(_ message: StoredMessage) -> Bool {
            guard taken.count < request.messagesMax else { return false }
            let message = shown(message)
            let bytes = message.answerBytes
            guard taken.isEmpty || bytes <= bytesLeft else { return false }
            bytesLeft -= bytes
            taken.append(message)
            return true
        }
        if takesNewest {
            _ = candidates.reversed().first { !take($0.message) }
            taken.reverse()
        } else {
            _ = candidates.first { !take($0.message) }
        }
        return HistoryPage(
            head: Position(epoch: epoch, offset: head), messages: taken, more: taken.count < candidates.count)
    }

    /// The index of the first message with at least this offset.
    private func index(of offset: Offset) -> Int {
        guard let first = entries.first?.message.offset, offset > first else { return entries.startIndex }
        return min(entries.endIndex, Int(clamping: offset - first))
    }

    private func message(at offset: Offset) -> StoredMessage? {
        entryIndex(at: offset).map { entries[$0].message }
    }

    private func entryIndex(at offset: Offset) -> Int? {
        guard let first = entries.first?.message.offset, offset >= first else { return nil }
        let index = Int(clamping: offset - first)
        return index < entries.count ? index : nil
    }
}

/// The locations of changes in a room's in-memory history, and the reactions by message and user.
private struct RoomChanges {
    private var offsets: Deque<Offset> = []
    private var reactions: [Offset: [UserID: Set<Reaction>]] = [:]

    func reactions(of user: UserID, to target: Offset) -> Set<Reaction> { reactions[target]?[user] ?? [] }

    /// Takes a logarithmic number of steps.
    func count(after offset: Offset) -> Offset {
        var (low, high) = (offsets.startIndex, offsets.endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if offsets[middle] > offset { high = middle } else { low = middle + 1 }
        }
        return UInt64(offsets.endIndex - low)
    }

    /// - Returns: the approximate number of additional bytes.
    mutating func note(_ change: MessageChange, at offset: Offset, by user: UserID) -> Int {
        offsets.append(offset)
        switch change.kind {
        case .edited: return 0
        case .deleted: return -release(change.target)
        case .reaction(let reaction, let isRemoval, _):
            if isRemoval {
                guard reactions[change.target]?[user]?.remove(reaction) != nil else { return 0 }
                if reactions[change.target]?[user]?.isEmpty == true { reactions[change.target]?[user] = nil }
                return -Self.weight(user, reaction)
            }
            reactions[change.target, default: [:]][user, default: []].insert(reaction)
            return Self.weight(user, reaction)
        }
    }

    /// Removes the oldest entry.
    ///
    /// - Returns: the approximate number of bytes freed.
    mutating func forget(_ offset: Offset) -> Int {
        if offsets.first == offset { offsets.removeFirst() }
        return reactions.isEmpty ? 0 : release(offset)
    }

    private mutating func release(_ target: Offset) -> Int {
        (reactions.removeValue(forKey: target) ?? [:]).reduce(0) { sum, entry in
            entry.value.reduce(sum) { $0 + Self.weight(entry.key, $1) }
        }
    }

    private static func weight(_ user: UserID, _ reaction: Reaction) -> Int {
        64 + user.value.utf8.count + reaction.value.utf8.count
    }
}
