/// Mutes and bans in memory, by room. Expired ones are removed when their space is needed.
struct SanctionTable {
    private struct Entry {
        var isBan: Bool
        var until: MonotonicTime
    }

    private struct Room {
        var entries: [UserID: Entry] = [:]
        var version: UInt64 = 0
    }

    private var byRoom: [RoomID: Room] = [:]
    private var count = 0
    /// The newest version of any room. None is given twice.
    private var lastVersion: UInt64 = 0

    /// Differs when a mute or ban of the room has changed; 0 while there is none.
    func version(of room: RoomID) -> UInt64 { byRoom[room]?.version ?? 0 }

    func isBanned(_ user: UserID, from room: RoomID, now: MonotonicTime) -> Bool {
        guard let entry = byRoom[room]?.entries[user] else { return false }
        return entry.isBan && now < entry.until
    }

    func list(_ room: RoomID, max: Int, now: MonotonicTime) -> [UserSanction] {
        let live = (byRoom[room]?.entries ?? [:]).lazy.filter { now < $0.value.until }
        return live.prefix(max).map {
            UserSanction(user: $0.key, isBan: $0.value.isBan, left: $0.value.until.since(now))
        }
    }

    /// - Parameter totalMax: the maximum number of mutes and bans in all rooms.
    mutating func apply(_ note: SanctionNote, totalMax: Int, now: MonotonicTime) -> SanctionNote.Outcome {
        if let entry = byRoom[note.room]?.entries[note.user], now >= entry.until { remove(note.user, from: note.room) }
        let known = byRoom[note.room]?.entries[note.user]
        let live = known.map { (isBan: $0.isBan, left: $0.until.since(now)) }
        // The in-memory closure never throws.
        let outcome = try? SanctionNote.Outcome.decide(note, known: live) { () throws(StoreError) in
            removeEnded(in: note.room, now: now)
            if count >= totalMax { for room in byRoom.keys { removeEnded(in: room, now: now) } }
            return count < totalMax ? byRoom[note.room]?.entries.count ?? 0 : .max
        }
        switch (outcome, note.kind) {
        case (.stored, .mute(let length)): store(Entry(isBan: false, until: now + length), note)
        case (.stored, .ban(let length)): store(Entry(isBan: true, until: now + length), note)
        case (.lifted, _): remove(note.user, from: note.room)
        default: break
        }
        return outcome ?? .tooMany
    }

    private mutating func store(_ entry: Entry, _ note: SanctionNote) {
        if byRoom[note.room, default: Room()].entries.updateValue(entry, forKey: note.user) == nil { count += 1 }
        changed(note.room)
    }

    private mutating func remove(_ user: UserID, from room: RoomID) {
        if byRoom[room]?.entries.removeValue(forKey: user) != nil { count -= 1 }
        if byRoom[room]?.entries.isEmpty == true { byRoom[room] = nil } else { changed(room) }
    }

    private mutating func changed(_ room: RoomID) {
        lastVersion += 1
        byRoom[room]?.version = lastVersion
    }

    private mutating func removeEnded(in room: RoomID, now: MonotonicTime) {
        for (user, entry) in byRoom[room]?.entries ?? [:] where now >= entry.until { remove(user, from: room) }
    }
}
