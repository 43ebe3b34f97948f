public enum AppendOutcome: Hashable, Sendable {
    case stored(Position, at: WallTime)
    /// The message is stored, and holds these files as they are now.
    case attached(Position, at: WallTime, [AttachedFile])
    /// The wish has become this fact.
    case applied(Position, at: WallTime, Fact)
    /// Nothing was stored, since all is as wished already.
    case unchanged(at: WallTime)
    /// Nothing was stored: the wish is not to be, or a file not to be had.
    case refused(WishRefusal)
    /// The first attempt's position and time.
    case duplicate(Position, at: WallTime)
    case failed(StoreError)
}
