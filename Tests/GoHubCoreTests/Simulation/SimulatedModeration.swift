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

    /// The users who are muted or banned in the store, and whether they are banned.
    private var stored: [RoomID: [UserID: Bool]] = [:]

    /// A moderator was told of it by this hub, which may be long after it took effect. What the store no longer has is
    /// no promise any more.
    func note(_ record: Sanction.Record, hub: Int) {
        let (room, user) = (record.room, record.sanction.user)
        switch (record.sanction.kind, stored[room]?[user]) {
        case (.ban, true?): entries[room, default: [:]][user] = Entry(isBan: true, hub: hub)
        case (.mute, false?): entries[room, default: [:]][user] = Entry(isBan: false, hub: hub)
        default: break
        }
    }

    /// It takes effect in the store. A mute doesn't change a ban.
    func stored(_ note: SanctionNote) {
        switch note.kind {
        case .mute: if stored[note.room]?[note.user] == nil { stored[note.room, default: [:]][note.user] = false }
        case .ban: stored[note.room, default: [:]][note.user] = true
        case .pardon:
            pardons += 1
            stored[note.room]?[note.user] = nil
            entries[note.room]?[note.user] = nil
        }
    }

    func entry(of user: UserID, in room: RoomID) -> Entry? { entries[room]?[user] }

    func isBanned(_ user: UserID, from room: RoomID) -> Bool { entries[room]?[user]?.isBan == true }
}
