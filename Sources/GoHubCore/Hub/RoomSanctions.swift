/// The mutes and bans of a room as held by its owner. They are read with the room's first join; for a room that isn't
/// in memory the store is asked.
struct RoomSanctions: Sendable {
    /// A mute or a ban, with its end.
    struct Sanction: Sendable {
        var isBan: Bool
        var until: MonotonicTime
    }

    /// Exits: `unknown` → `known` by the page of a join; `known` → `doubtful` by a write with an unknown outcome, or by
    /// another version in the store → `known` by a separate read.
    private enum Phase: Equatable, Sendable {
        case unknown
        case known
        /// The known sanctions apply until the store has answered.
        case doubtful(isAsked: Bool)
    }

    /// Whether they have changed since the store was asked.
    private var mustAskAgain = false

    private var phase = Phase.unknown
    private var sanctions: [UserID: Sanction] = [:]
    /// The version that the store had when they were read; the hub's own changes since then are not in it.
    private(set) var version: UInt64 = 0
    /// Stored while the phase isn't `known`, so a page still in flight may be older. `nil` stands for a pardon.
    private var newer: [UserID: Sanction?] = [:]

    /// Whether the store has been read.
    var isLoaded: Bool { phase != .unknown }
    var isEmpty: Bool { sanctions.isEmpty }

    /// The user's current sanction. An expired one is removed.
    mutating func sanction(of user: UserID, now: MonotonicTime) -> Sanction? {
        guard !sanctions.isEmpty, let sanction = sanctions[user] else { return nil }
        guard now < sanction.until else {
            sanctions[user] = nil
            return nil
        }
        return sanction
    }

    /// Whether the store has been read, and the user's current sanction.
    mutating func look(for user: UserID, now: MonotonicTime) -> (isLoaded: Bool, Sanction?) {
        (isLoaded, sanction(of: user, now: now))
    }

    /// - Parameter sanction: `nil` for a pardon.
    mutating func stored(_ sanction: Sanction?, of user: UserID, max: Int, now: MonotonicTime) {
        if phase != .known { newer.updateValue(sanction, forKey: user) }
        if sanctions.count >= max { sanctions = sanctions.filter { now < $0.value.until } }
        sanctions[user] = sanction
    }

    /// Applies the page of a join. Pages after the first contain nothing new.
    mutating func load(_ page: HistoryPage, now: MonotonicTime) {
        if phase == .unknown { take(page, now: now) }
    }

    private mutating func take(_ page: HistoryPage, now: MonotonicTime) {
        phase = .known
        version = page.sanctionsVersion
        sanctions = [:]
        for entry in page.sanctions { sanctions[entry.user] = Sanction(isBan: entry.isBan, until: now + entry.left) }
        for (user, sanction) in newer { sanctions[user] = sanction }
        newer = [:]
    }

    // MARK: After a write that may have been done, here or by another hub

    mutating func doubt() {
        switch phase {
        case .unknown, .doubtful(isAsked: false): break
        case .known: phase = .doubtful(isAsked: false)
        case .doubtful(isAsked: true): mustAskAgain = true
        }
    }

    /// - Returns: whether the store must be asked now.
    mutating func ask() -> Bool {
        guard phase == .doubtful(isAsked: false) else { return false }
        phase = .doubtful(isAsked: true)
        mustAskAgain = false
        return true
    }

    /// - Parameter page: `nil` when the store failed: the next join triggers another read.
    mutating func answered(_ page: HistoryPage?, now: MonotonicTime) {
        guard phase == .doubtful(isAsked: true) else { return }
        if let page { take(page, now: now) }
        if page == nil || mustAskAgain { phase = .doubtful(isAsked: false) }
    }

    /// Whether the store has changed since the mutes and bans were read.
    func isOlder(than version: UInt64) -> Bool { isLoaded && self.version != version }

    // MARK: Bans

    /// The users who are banned now.
    func banned(now: MonotonicTime) -> [UserID] {
        sanctions.filter { $0.value.isBan && now < $0.value.until }.map(\.key)
    }
}
