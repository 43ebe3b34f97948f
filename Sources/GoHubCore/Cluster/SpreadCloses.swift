/// Sessions to be closed one after the other, evenly over a time: when a room's history is another one, all its members
/// must join again, and together they would be a herd (as at the end of a drain).
package struct SpreadCloses: Sendable {
    /// The interval between two groups.
    package static let step: Milliseconds = 100

    private var waiting: ArraySlice<SessionID>
    private let perStep: Int
    /// The time of the next group; `nil` when all are closed.
    package private(set) var due: MonotonicTime?

    /// The first group is closed at once, the last before the time is over.
    package init(_ sessions: [SessionID], over time: Milliseconds, now: MonotonicTime) {
        let steps = max(1, Int(clamping: time.value / Self.step.value))
        waiting = sessions[...]
        perStep = max(1, sessions.count / steps + (sessions.count.isMultiple(of: steps) ? 0 : 1))
        due = sessions.isEmpty ? nil : now
    }

    /// The sessions to close now.
    ///
    /// - Parameter isWaiting: false for a session that has left the room, or joined it again, in the meantime. It takes
    ///   no other session's place in the group.
    package mutating func take(now: MonotonicTime, isWaiting: (SessionID) -> Bool) -> [SessionID] {
        guard let due, due <= now else { return [] }
        let group = waiting.prefix(perStep).filter(isWaiting)
        waiting = waiting.dropFirst(perStep)
        self.due = waiting.isEmpty ? nil : now + Self.step
        return group
    }
}
