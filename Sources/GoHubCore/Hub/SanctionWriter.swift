internal import DequeModule

/// Mutes, bans and pardons on their way into the store: one write is in flight at a time, and what comes meanwhile is the
/// next. So they take effect in the order in which they were asked for.
///
/// Each counts as a request to the store, which bounds how many wait.
struct SanctionWriter: Sendable {
    struct Entry: Sendable {
        var requester: Requester
        var room: RoomID
        var sanction: Sanction
        var note: SanctionNote
    }

    /// The most of one write, which is one transaction.
    private static let batchMax = 64

    private var waiting: Deque<Entry> = []
    private var inFlight: [Entry] = []

    var isEmpty: Bool { waiting.isEmpty && inFlight.isEmpty }

    mutating func add(_ entry: Entry) {
        waiting.append(entry)
    }

    /// What to write now; empty while a write is in flight, or when nothing waits.
    mutating func nextBatch() -> [SanctionNote] {
        guard inFlight.isEmpty else { return [] }
        inFlight = Array(waiting.prefix(Self.batchMax))
        waiting.removeFirst(inFlight.count)
        return inFlight.map(\.note)
    }

    /// The store has answered.
    ///
    /// - Returns: what was asked for.
    mutating func completed() -> [Entry] {
        defer { inFlight = [] }
        return inFlight
    }
}
