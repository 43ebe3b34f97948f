/// What the store has made of a `SanctionNote`.
public enum SanctionOutcome: Hashable, Sendable {
    /// The mute or ban is stored, in place of what the user had.
    case stored
    /// The mute or ban that the user had is removed.
    case lifted
    /// Nothing was stored: the user is banned, which a mute doesn't change.
    case banned(left: Milliseconds)
    /// Nothing was removed: the user is neither muted nor banned.
    case notFound
    /// Nothing was stored: as many users are muted or banned as may be.
    case tooMany

    /// The rule that every store applies, under the lock that orders its writes.
    ///
    /// - Parameters:
    ///   - known: what the user has, unless it is over.
    ///   - count: users with a mute or ban that isn't over. Only asked for when the user has none.
    package static func decide(
        _ note: SanctionNote, known: (isBan: Bool, left: Milliseconds)?, count: () throws(StoreError) -> Int
    ) throws(StoreError) -> SanctionOutcome {
        switch note.kind {
        case .pardon: return known == nil ? .notFound : .lifted
        case .mute:
            if let known, known.isBan { return .banned(left: known.left) }
        case .ban: break
        }
        guard known == nil else { return .stored }
        return try count() < note.perRoomMax ? .stored : .tooMany
    }
}
