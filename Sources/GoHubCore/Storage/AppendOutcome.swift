/// The outcome of one draft of a batch.
public enum AppendOutcome: Hashable, Sendable {
    /// The message is stored as it is in the draft.
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
    /// The store has failed. `StoreError.mayBeStored` says whether the draft may be stored nevertheless.
    case failed(StoreError)
}
