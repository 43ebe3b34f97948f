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

/// What a shard tells a session.
public enum HubMessage: Equatable, Sendable {
    /// Registered: the session may go on.
    case welcome
    indirect case joined(Event.Joined)
    indirect case joinRefused(RoomName, Event)
    /// Out of the room, by its own wish (with the reply's id in the event) or a moderator's.
    indirect case left(RoomName, Event)
    /// The reply to one command.
    case reply(Event)
    case event(Event)
    case close(CloseCode)
}

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
