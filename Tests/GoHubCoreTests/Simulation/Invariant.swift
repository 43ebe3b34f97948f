/// A promise of the hub, or of several hubs on one store, that a simulation checks.
enum Invariant: CaseIterable {
    /// All clients receive a room's entries in the order of the store, each once and without a gap, over all hubs and
    /// reconnects.
    case order
    /// An acknowledged entry is stored once, at its position, and nothing else is delivered.
    case durability
    /// At rest every member has received everything, and nothing waits.
    case completeness
    /// Soon after the last fault every member has received everything, without another entry in the room.
    case lateness
    /// A join with `since` is answered with every entry after it, or with none and for a reason.
    case recovery
    /// A session must resync only when its room has another history, or is too far behind.
    case resync
    /// One session of a key is live on a hub, and an ended one is in no room.
    case sessions
    /// At rest every member knows who is present on its hub.
    case presence
    /// The number of the users who are present, as told to clients.
    case counts
    /// Receipts never go back, are never ahead of the room, and are stored.
    case receipts
    /// From its confirmation on nobody joins, is in a room, or writes against a ban or a mute.
    case sanctions
    /// No answer shows the text of a message that was deleted before.
    case deletions
    /// What waits is bounded.
    case bounds
    /// A session is closed only for a cause of its own, whatever happens to the other hubs.
    case endings
    /// One reply to each command, and nothing before the welcome or after the end.
    case dialogue
}

/// A broken promise.
struct Violation: Hashable, CustomStringConvertible {
    let invariant: Invariant
    let text: String

    init(_ invariant: Invariant, _ text: String) {
        self.invariant = invariant
        self.text = text
    }

    func prefixed(_ place: String) -> Violation { Violation(invariant, "\(place): \(text)") }

    var description: String { "\(invariant): \(text)" }
}
