/// The outcome of one draft of a batch.
public enum AppendOutcome: Hashable, Sendable {
    case stored(Position, at: WallTime)
    /// The message is stored with these files in their current form.
    case attached(Position, at: WallTime, [AttachedFile])
    /// The change request became this change.
    case applied(Position, at: WallTime, MessageChange)
    /// Nothing was stored, because the requested state already exists.
    case unchanged(at: WallTime)
    /// Nothing was stored: the change request is rejected, or a file is not available.
    case refused(AppendOutcome.Rejection)
    /// The first attempt's position and time.
    case duplicate(Position, at: WallTime)
    case failed(StoreError)
}
