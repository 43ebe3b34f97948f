internal import DequeModule

/// Mutes, bans and pardons on their way into the store. One write is in flight at a time, and later sanctions form the
/// next one. So they take effect in the order of their requests.
///
/// Each counts as a store request, which bounds the queue.
struct SanctionWriter: Sendable {
    struct Entry: Sendable {
        var requester: Requester
        var room: RoomID
        var sanction: Sanction
        var note: SanctionNote
    }

    /// The maximum number of sanctions in one write, which is one transaction.
    private static let batchMax = 64

    private var waiting: Deque<Entry> = []
    private var inFlight: [Entry] = []

    var isEmpty: Bool { waiting.isEmpty && inFlight.isEmpty }

    mutating func add(_ entry: Entry) {
        waiting.append(entry)
    }

    /// The next write; empty while a write is in flight, or when nothing waits.
    mutating func nextBatch() -> [SanctionNote] {
        guard inFlight.isEmpty else { return [] }
        inFlight = Array(waiting.prefix(Self.batchMax))
        waiting.removeFirst(inFlight.count)
        return inFlight.map(\.note)
    }

    /// Handles the store's answer.
    ///
    /// - Returns: the requested sanctions.
    mutating func completed() -> [Entry] {
        defer { inFlight = [] }
        return inFlight
    }
}
