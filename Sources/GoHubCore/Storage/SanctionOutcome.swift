extension SanctionNote {
    /// The outcome of a `SanctionNote`.
    public enum Outcome: Hashable, Sendable {
        /// The mute or ban is stored and replaces the user's previous one.
        case stored
        /// The user's mute or ban is removed.
        case lifted
        /// Nothing was stored: the user is banned, which a mute doesn't change.
        case banned(left: Milliseconds)
        /// Nothing was removed: the user is neither muted nor banned.
        case notFound
        /// Nothing was stored: the limit of muted or banned users is reached.
        case tooMany

        /// The rule of every store, applied under the lock that orders its writes.
        ///
        /// - Parameters:
        ///   - note: the mute, ban or pardon.
        ///   - known: the user's current sanction and the time left of it, unless it has expired.
        ///   - count: the number of users with an active mute or ban in the room. Only called when the user has none.
        /// - Returns: the outcome. For `stored` the store replaces the user's sanction, and for `lifted` it removes it.
        ///   For any other outcome it changes nothing.
        /// - Throws: what `count` throws.
        public static func decide(
            _ note: SanctionNote, known: (isBan: Bool, left: Milliseconds)?, count: () throws(StoreError) -> Int
        ) throws(StoreError) -> SanctionNote.Outcome {
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
}
