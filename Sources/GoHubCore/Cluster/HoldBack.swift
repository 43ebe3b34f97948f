internal import DequeModule

/// The bytes and entries that all rooms of a shard hold back together.
package struct HoldBudget: Sendable {
    package let entriesMax: Int
    package let bytesMax: Int
    package fileprivate(set) var entries = 0
    package fileprivate(set) var bytes = 0

    package init(entriesMax: Int, bytesMax: Int) {
        self.entriesMax = entriesMax
        self.bytesMax = bytesMax
    }

    fileprivate func hasSpace(for bytes: Int) -> Bool {
        entries < entriesMax && bytesMax - self.bytes >= bytes
    }
}

/// Entries of a room that arrived before entries with lower offsets, in the order of their offsets.
///
/// Another node's entry can overtake one before it, or the one before it is lost. The members get entries in order
/// only, so the later one waits here until the hole is filled: by an entry that arrives, or by a read of the store.
///
/// The store has every entry. So nothing here is needed for correctness, and what doesn't fit is dropped. What must not
/// be forgotten is that there is more: `known` keeps the newest offset that was ever seen, also of dropped entries.
/// While it is beyond the head, the room has a hole at its end, which no later entry may ever reveal.
///
/// All entries are of one epoch, `epoch`. When the room's head isn't known yet, offsets of other epochs are noted, too
/// so that nothing depends on which epoch was heard first.
package struct HoldBack: Sendable {
    /// What became of an entry.
    package enum Outcome: Hashable, Sendable {
        /// It follows the head: to be delivered now, then those of `takeNext`.
        case next
        /// Delivered before, or held already.
        case isKnown
        case held
        /// There is no space. `missing` includes its offset.
        case dropped
        /// It belongs to another history than the head: the store must be asked which of them is the room's.
        case otherEpoch
    }

    private let entriesMax: Int
    private let bytesMax: Int
    private var entries: Deque<StoredMessage> = []
    private var bytes = 0
    package private(set) var epoch: Epoch?
    /// The newest offset seen in each epoch, newest epoch last. More than one only while the head is unknown.
    private var heads: [Position] = []
    /// For each changed message the offsets of the held changes, ascending.
    private var changes: [Offset: [Offset]] = [:]

    /// The bytes of an entry besides its text: the object, its names and its place here.
    private static let overheadBytes = 256
    /// The weight of a deleted message.
    private static let deletedWeight = Amendments(deleted: .init(offset: 0, at: WallTime(milliseconds: 0))).weight
    /// Epochs that are noted while the head is unknown. An epoch begins when a history is lost, so two are rare.
    private static let epochsMax = 4

    /// - Parameters:
    ///   - entriesMax: the maximum number of held entries; at least 1.
    ///   - bytesMax: the maximum bytes of the held entries.
    package init(entriesMax: Int, bytesMax: Int) {
        self.entriesMax = max(1, entriesMax)
        self.bytesMax = bytesMax
    }

    package var isEmpty: Bool { entries.isEmpty }
    package var count: Int { entries.count }
    package var byteCount: Int { bytes }

    // MARK: Arrivals

    /// Handles an entry that another node, or an earlier attempt, has stored.
    ///
    /// - Parameters:
    ///   - head: the position up to which the members have everything; `nil` while it isn't known.
    package mutating func arrived(
        _ entry: StoredMessage, _ epoch: Epoch, head: Position?, budget: inout HoldBudget
    ) -> Outcome {
        if let head {
            guard head.epoch == epoch else { return .otherEpoch }
            settle(head, budget: &budget)
            guard entry.offset > head.offset else { return .isKnown }
            if entry.offset == head.offset + 1 { return .next }
        }
        note(Position(epoch: epoch, offset: entry.offset))
        return hold(entry, epoch, budget: &budget)
    }

    /// Notes that the room has entries up to a position, without the entries: from a head of another node, or from a
    /// page of the store.
    ///
    /// - Returns: false when it is of another epoch than the head.
    package mutating func heardOf(_ position: Position, head: Position?) -> Bool {
        guard head == nil || head?.epoch == position.epoch else { return false }
        guard position.offset > head?.offset ?? 0 else { return true }
        note(position)
        return true
    }

    private mutating func note(_ position: Position) {
        if let index = heads.firstIndex(where: { $0.epoch == position.epoch }) {
            heads[index].offset = max(heads[index].offset, position.offset)
            return
        }
        if heads.count == Self.epochsMax { heads.removeFirst() }
        heads.append(position)
    }

    private mutating func hold(_ entry: StoredMessage, _ epoch: Epoch, budget: inout HoldBudget) -> Outcome {
        if self.epoch != epoch {
            // Without a head, either epoch may be the room's. The newer arrival is likelier to be.
            dropAll(budget: &budget)
            self.epoch = epoch
        }
        let index = firstIndex(from: entry.offset)
        if index < entries.endIndex, entries[index].offset == entry.offset { return .isKnown }
        let size = Self.size(of: entry)
        // The lowest offsets are of use first, so the highest make space. A read brings them back.
        while !hasSpace(for: size, budget), let last = entries.last, last.offset > entry.offset {
            remove(at: entries.count - 1, budget: &budget)
            applyDeletion(of: last, budget: &budget)
        }
        guard hasSpace(for: size, budget) else {
            applyDeletion(of: entry, budget: &budget)
            return .dropped
        }
        entries.insert(entry, at: index)
        bytes += size
        budget.entries += 1
        budget.bytes += size
        if let target = entry.change?.target {
            let place = changes[target]?.firstIndex { $0 > entry.offset }
            changes[target, default: []].insert(entry.offset, at: place ?? changes[target]?.count ?? 0)
        }
        return .held
    }

    /// Removes a deleted text from what is held, when the deletion itself isn't. Other changes can wait for their turn.
    private mutating func applyDeletion(of entry: StoredMessage, budget: inout HoldBudget) {
        guard let change = entry.change, change.kind == .deleted else { return }
        // A deletion has no text. Whatever a peer put into it must not make the held entries grow.
        let entry = entry.with(text: "", entry.content.kind)
        for offset in [change.target] + (changes[change.target] ?? []) {
            let index = firstIndex(from: offset)
            guard index < entries.endIndex, entries[index].offset == offset else { continue }
            let before = Self.size(of: entries[index])
            var amended = [entries[index]]
            amended.amend(by: entry)
            entries[index] = amended.first ?? entries[index]
            let difference = Self.size(of: entries[index]) - before
            bytes += difference
            budget.bytes += difference
        }
    }

    private func hasSpace(for size: Int, _ budget: HoldBudget) -> Bool {
        entries.count < entriesMax && bytesMax - bytes >= size && budget.hasSpace(for: size)
    }

    /// Never grows with a deletion, which replaces the text by a mark.
    private static func size(of entry: StoredMessage) -> Int {
        max(entry.content.weight, deletedWeight) + overheadBytes
    }

    /// The index of the first held entry at or after the offset.
    private func firstIndex(from offset: Offset) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: The hole

    /// The first missing offsets behind the head: up to the first held entry, or to the newest offset that was seen.
    /// `nil` when nothing is known to be missing.
    ///
    /// - Parameter head: the position up to which the members have everything.
    package func missing(after head: Position) -> ClosedRange<Offset>? {
        let (first, isOver) = head.offset.addingReportingOverflow(1)
        guard !isOver else { return nil }
        if epoch == head.epoch, let held = entries.first(where: { $0.offset > head.offset }) {
            return held.offset > first ? first...(held.offset - 1) : nil
        }
        guard let known = known(in: head.epoch), known >= first else { return nil }
        return first...known
    }

    /// The newest offset of the epoch that was seen, held or not; `nil` for none.
    package func known(in epoch: Epoch) -> Offset? {
        heads.first { $0.epoch == epoch }?.offset
    }

    /// How many entries the members are behind, as far as it is known.
    package func lag(behind head: Position) -> UInt64 {
        guard let known = known(in: head.epoch), known > head.offset else { return 0 }
        return known - head.offset
    }

    /// Removes the entry that follows the head, in the form that the held changes give it. The caller delivers it, and
    /// calls again with the new head.
    ///
    /// - Returns: `nil` when it isn't held.
    package mutating func takeNext(after head: Position, budget: inout HoldBudget) -> StoredMessage? {
        settle(head, budget: &budget)
        guard let entry = entries.first, entry.offset - 1 == head.offset else { return nil }
        remove(at: 0, budget: &budget)
        return amended(entry)
    }

    /// Entries that were read from the store, in the form that the held changes give them: a text that is deleted
    /// already must not be delivered.
    package func amended(_ entries: [StoredMessage]) -> [StoredMessage] {
        changes.isEmpty ? entries : entries.map(amended)
    }

    private func amended(_ entry: StoredMessage) -> StoredMessage {
        guard let offsets = changes[entry.change?.target ?? entry.offset] else { return entry }
        var amended = [entry]
        for offset in offsets where offset > entry.offset {
            let index = firstIndex(from: offset)
            if index < entries.endIndex { amended.amend(by: entries[index]) }
        }
        return amended.first ?? entry
    }

    /// Believes the store, when it has been read and doesn't have what is held or was heard of: a peer was wrong, or
    /// the database has lost its newest entries in a failover.
    ///
    /// - Parameter storeHead: from a read that began after everything in here had arrived.
    /// - Returns: whether anything beyond it was dropped.
    package mutating func believe(_ storeHead: Position, budget: inout HoldBudget) -> Bool {
        var isDropped = false
        if epoch != nil, epoch != storeHead.epoch {
            dropAll(budget: &budget)
            isDropped = true
        }
        while let last = entries.last, last.offset > storeHead.offset {
            remove(at: entries.count - 1, budget: &budget)
            isDropped = true
        }
        for index in heads.indices where heads[index].epoch == storeHead.epoch {
            isDropped = isDropped || heads[index].offset > storeHead.offset
            heads[index].offset = min(heads[index].offset, storeHead.offset)
        }
        if entries.isEmpty { epoch = nil }
        return isDropped
    }

    // MARK: Removal

    /// Drops what the head has overtaken and what belongs to other epochs.
    package mutating func settle(_ head: Position, budget: inout HoldBudget) {
        if let epoch, epoch != head.epoch { dropAll(budget: &budget) }
        while let first = entries.first, first.offset <= head.offset { remove(at: 0, budget: &budget) }
        if entries.isEmpty { epoch = nil }
        if !heads.isEmpty { heads.removeAll { $0.epoch != head.epoch || $0.offset <= head.offset } }
    }

    /// Forgets everything: the room is evicted, or its history is another one.
    package mutating func removeAll(budget: inout HoldBudget) {
        dropAll(budget: &budget)
        heads = []
    }

    private mutating func dropAll(budget: inout HoldBudget) {
        budget.entries -= entries.count
        budget.bytes -= bytes
        (entries, bytes, changes, epoch) = ([], 0, [:], nil)
    }

    private mutating func remove(at index: Int, budget: inout HoldBudget) {
        let entry = entries.remove(at: index)
        let size = Self.size(of: entry)
        bytes -= size
        budget.entries -= 1
        budget.bytes -= size
        guard let target = entry.change?.target else { return }
        changes[target]?.removeAll { $0 == entry.offset }
        if changes[target]?.isEmpty == true { changes[target] = nil }
    }
}
