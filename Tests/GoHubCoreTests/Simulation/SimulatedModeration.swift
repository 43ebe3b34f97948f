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

    func note(_ record: Sanction.Record, hub: Int) {
        switch record.sanction.kind {
        case .mute: entries[record.room, default: [:]][record.sanction.user] = Entry(isBan: false, hub: hub)
        case .ban: entries[record.room, default: [:]][record.sanction.user] = Entry(isBan: true, hub: hub)
        case .kick, .pardon: break
        }
    }

    /// Moderation that the store doesn't hold is no promise any more.
    func pardoned(_ user: UserID, in room: RoomID) {
        pardons += 1
        entries[room]?[user] = nil
    }

    func entry(of user: UserID, in room: RoomID) -> Entry? { entries[room]?[user] }

    func isBanned(_ user: UserID, from room: RoomID) -> Bool { entries[room]?[user]?.isBan == true }
}
