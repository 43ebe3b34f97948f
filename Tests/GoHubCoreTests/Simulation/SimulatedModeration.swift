@testable import GoHubCore

/// The mutes and bans that moderators were told of, on all hubs of a simulation. Their durations exceed those of a run.
final class SimulatedModeration {
    struct Entry {
        var isBan: Bool
        /// The hub that has confirmed it.
        var hub: Int
    }

    private(set) var entries: [RoomID: [UserID: Entry]] = [:]
    /// Pardons so far: a join that was requested before one may be answered by either rule.
    private(set) var pardons = 0

    /// The users whose newest sanction in the store is a pardon.
    private var pardoned: [RoomID: Set<UserID>] = [:]

    /// A moderator was told of it by this hub, which may be long after it took effect.
    func note(_ record: Sanction.Record, hub: Int) {
        if pardoned[record.room]?.contains(record.sanction.user) == true { return }
        switch record.sanction.kind {
        case .mute: entries[record.room, default: [:]][record.sanction.user] = Entry(isBan: false, hub: hub)
        case .ban: entries[record.room, default: [:]][record.sanction.user] = Entry(isBan: true, hub: hub)
        case .kick, .pardon: break
        }
    }

    /// It takes effect in the store. What the store no longer has is no promise any more.
    func stored(_ note: SanctionNote) {
        switch note.kind {
        case .mute, .ban: pardoned[note.room]?.remove(note.user)
        case .pardon:
            pardons += 1
            entries[note.room]?[note.user] = nil
            pardoned[note.room, default: []].insert(note.user)
        }
    }

    func entry(of user: UserID, in room: RoomID) -> Entry? { entries[room]?[user] }

    func isBanned(_ user: UserID, from room: RoomID) -> Bool { entries[room]?[user]?.isBan == true }
}
