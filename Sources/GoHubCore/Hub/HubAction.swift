/// A request of the state to its shell. The shell performs actions in order.
package enum HubAction: Equatable, Sendable {
    /// Sends to one session on its edge.
    case send(SessionID, HubMessage)
    /// The reply to a request that didn't come from a session.
    case answer(edge: EdgeID, UInt64, Event)
    /// Delivers one event to all sessions of a room on these edges. The shell encodes it once.
    case deliver(Event, RoomID, [EdgeID])
    /// Appends to the store; the outcome comes back through `HubState.stored`.
    case append(AppendRequest)
    /// Reads from the store; the page comes back through `HubState.historyRead`.
    indirect case read(HistoryRequest, PendingRead)
    /// Writes receipts to the store, one write at a time; the result comes back through `HubState.receiptsStored`.
    case storeReceipts([ReceiptNote])
    /// Writes sanctions to the store, one write at a time; the result comes back through `HubState.sanctionsStored`.
    case storeSanctions([SanctionNote])
    /// Compares rooms with the store; the differing heads come back through `HubState.headsRead`.
    case readHeads([RoomHead])
    /// Reads what other hubs have stored in direct conversations; it comes back through `HubState.directNewsRead`.
    indirect case readDirectNews(after: DirectNews.Cursor)
    /// A moderator's action took effect: for the shell's log.
    indirect case moderated(Sanction.Record)
    /// Reads rooms from the store; the page comes back through `HubState.roomsRead`.
    indirect case readRooms(RoomsRequest, Requester)
    /// Forwards an input to the shard that owns its subject.
    case forward(HubInput)
    /// Forwards an input to every shard, this one included.
    case forwardToAll(HubInput)
    /// For the other nodes of the cluster.
    indirect case bus(BusRequest)
    /// Calls `HubState.timerFired` at that time or soon after. An earlier call is harmless.
    case scheduleTimer(MonotonicTime)
    /// Every session of a draining shard has ended.
    case drained
}
