internal import DequeModule

/// A queue of connections in order of arrival, from which any may leave.
struct HolderQueue {
    private var queue: Deque<(turn: UInt64, holder: HTTPSlots.Holder)> = []
    /// The connections that have not left, with the turns at which they arrived. The queue may contain others, which
    /// are skipped.
    private var turns: [HTTPSlots.Holder: UInt64] = [:]

    var isEmpty: Bool { turns.isEmpty }
    var count: Int { turns.count }

    /// - Parameter turn: unique.
    mutating func append(_ holder: HTTPSlots.Holder, turn: UInt64) {
        turns[holder] = turn
        queue.append((turn, holder))
    }

    mutating func remove(_ holder: HTTPSlots.Holder) {
        turns[holder] = nil
        // Connections that have left are at most about as many as those that are present.
        guard queue.count > 2 * turns.count + 16 else { return }
        queue.removeAll { turns[$0.holder] != $0.turn }
    }

    /// Removes the oldest connection.
    mutating func popFirst() -> HTTPSlots.Holder? {
        while let (turn, holder) = queue.popFirst() {
            guard turns[holder] == turn else { continue }
            turns[holder] = nil
            return holder
        }
        return nil
    }
}
