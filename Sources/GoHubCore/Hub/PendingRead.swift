/// The purpose for which a page was read.
package enum PendingRead: Equatable, Sendable {
    indirect case join(JoinRequest)
    case history(Requester)
    /// For the receipts of a direct conversation.
    case receipts
    /// For undelivered entries.
    case catchUp
    /// For one entry of a direct conversation that was sent again.
    case repeated
    /// For the mutes and bans of a room in which a write of one has failed.
    case sanctions
}
