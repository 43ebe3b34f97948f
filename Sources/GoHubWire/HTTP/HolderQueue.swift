internal import DequeModule

/// Connections in the order in which they came. Any of them may leave.
struct HolderQueue {
    private var queue: Deque<(turn: UInt64, holder: HTTPPlaces.Holder)> = []
    /// Those that have not left, and at which turn they came. The queue may hold others, which are passed over.
    private var turns: [HTTPPlaces.Holder: UInt64] = [:]

    var isEmpty: Bool { turns.isEmpty }
    var count: Int { turns.count }

    /// - Parameter turn: another one each time.
    mutating func append(_ holder: HTTPPlaces.Holder, turn: UInt64) {
        turns[holder] = turn
        queue.append((turn, holder))
    }

    mutating func remove(_ holder: HTTPPlaces.Holder) {
        turns[holder] = nil
        // Those that have left are at most as many as those that are there, and a few.
        guard queue.count > 2 * turns.count + 16 else { return }
        queue.removeAll { turns[$0.holder] != $0.turn }
    }

    /// Takes out the one that has been here for longest.
    mutating func popFirst() -> HTTPPlaces.Holder? {
        while let (turn, holder) = queue.popFirst() {
            guard turns[holder] == turn else { continue }
            turns[holder] = nil
            return holder
        }
        return nil
    }
}
