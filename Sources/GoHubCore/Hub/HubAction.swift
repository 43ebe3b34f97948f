/// What the state asks of its shell. The shell performs actions in their order.
public enum HubAction: Equatable, Sendable {
    /// To one session, on its edge.
    case tell(SessionID, HubMessage)
    /// The reply to a request that didn't come from a session.
    case answer(edge: EdgeID, UInt64, Event)
    /// One event to all sessions of a room on these edges. The shell encodes it once.
    case deliver(Event, RoomID, [EdgeID])
    /// Into the store; its outcome comes back through `HubState.stored`.
    case append(Publication)
    /// From the store; the page comes back through `HubState.historyRead`.
    indirect case read(HistoryRequest, PendingRead)
    /// Into the store, one write at a time; the result comes back through `HubState.receiptsStored`.
    case storeReceipts([ReceiptNote])
    /// Into the store, one write at a time; the result comes back through `HubState.sanctionsStored`.
    case storeSanctions([SanctionNote])
    /// A moderator's act took effect: for the shell's log.
    indirect case moderated(ModerationRecord)
    /// From the store; the page comes back through `HubState.roomsRead`.
    indirect case readRooms(RoomsRequest, Requester)
    /// To the shard that owns what the input speaks of.
    case forward(HubInput)
    /// Call `HubState.timerFired` at that time or soon after. An earlier call does no harm.
    case scheduleTimer(MonotonicTime)
    /// Every session of a draining shard is gone.
    case drained
}
