/// What a page was read for.
public enum PendingRead: Equatable, Sendable {
    case join(JoinRequest)
    case history(Requester)
    /// For the receipts in it, of a direct conversation.
    case receipts
    /// For entries that nobody was told.
    case catchUp
    /// For one entry of a direct conversation, which somebody has sent again.
    case repeated
    /// For the mutes and bans in it, of a room where a write of one has failed.
    case sanctions
}
