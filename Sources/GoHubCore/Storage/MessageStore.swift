/// The store of messages. The store assigns offsets, because what commits first comes first on every node.
///
/// Completions are closures and not `async`, so that a store driven by a foreign event loop can answer on that loop,
/// and an in-memory store immediately, without a thread change. A store calls each completion exactly once, on any
/// thread, in bounded time.
public protocol MessageStore: Sendable {
    /// Stores a batch in one transaction, in which each message is stored or not by itself. Returns an outcome for each
    /// draft, in the order of the batch.
    ///
    /// The messages of one room get consecutive offsets in the order of the batch. A draft whose (room, user, id) was
    /// stored before, within the store's window, is a `.duplicate` of that one.
    ///
    /// `ChangeRequest.decision` decides a change request at the point where offsets are assigned, on the message as
    /// left by all earlier entries. The change is applied to the message in the same transaction, so that every page
    /// shows the current form.
    ///
    /// The files of a message are looked up there, too. Each must be complete and in the message's room; otherwise
    /// nothing of the draft is stored. They count as in use until the message is deleted or removed by retention.
    func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void)

    /// Reads a part of a room's history. A room without messages has an epoch and the head offset 0.
    func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void)

    /// Stores receipts: the whole batch or nothing.
    ///
    /// The store keeps the maximum of each offset of a user in a room, regardless of order and writer: none ever
    /// decreases. Receipts beyond the room's head or of another epoch are ignored.
    func saveReceipts(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void)

    /// Stores mutes, bans and pardons: the whole batch or nothing. Returns one outcome each, in the order of the batch,
    /// in which they take effect.
    ///
    /// A mute or ban ends after its length by the store's clock. An expired one counts as absent. A mute doesn't change
    /// a ban (`SanctionNote.Outcome.decide`). A banned user no longer follows the room.
    func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void)

    /// Reads a user's rooms: those that the user follows, without those from which the user is banned now.
    func readRooms(_ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void)

    /// Compares what a hub knows of some rooms with what is stored. Returns the stored heads of those rooms whose
    /// epoch, offset or mutes and bans differ, in any order.
    ///
    /// Several hubs on one database call this a few times a second, so it should cost one look-up a room. A room
    /// without messages has an epoch and the offset 0.
    ///
    /// - Parameters:
    ///   - known: at most `RoomHead.roomsMax` different rooms.
    ///   - completion: gets the heads of the rooms that differ.
    func readHeads(_ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void)

    /// Reads what other hubs have stored in direct conversations: at most `DirectNews.itemsMax` items. Each is returned
    /// at least once to everybody who reads on from cursor to cursor.
    ///
    /// A store that only one hub uses needs no such list; by default there is no news.
    ///
    /// - Parameters:
    ///   - cursor: the end of the last reading.
    ///   - completion: gets the news, and the place from which to read on.
    func readDirectNews(
        after cursor: DirectNews.Cursor, completion: @escaping @Sendable (Result<DirectNews, StoreError>) -> Void)
}

extension MessageStore {
    public func readDirectNews(
        after cursor: DirectNews.Cursor, completion: @escaping @Sendable (Result<DirectNews, StoreError>) -> Void
    ) {
        completion(.success(DirectNews(cursor: cursor)))
    }
}
