/// Where messages live. Offsets are the store's to give, because what commits first comes first on every node.
///
/// The completions are functions and not `async`, so that a store which a foreign event loop drives can answer on
/// that very loop, and one in memory at once, without a thread change either way. A store calls each completion
/// exactly once, from whatever thread, in bounded time.
public protocol MessageStore: Sendable {
    /// Stores a batch as one, each message or none of its own: an outcome for each draft, in the order of the batch.
    ///
    /// The messages of one room get consecutive offsets in the order of the batch. A draft whose (room, user, id) was
    /// stored before inside the store's window is `.duplicate` of that one.
    ///
    /// Whether a wish may become a fact is decided where offsets are given, by `Wish.verdict`: on the message as those
    /// before it, whoever's, have left it. With the fact the message is changed, so that every page shows it as it is.
    ///
    /// The files that a message is to hold are looked up there as well. Each must be complete, and of the message's very room;
    /// else nothing of the draft is stored. What the message holds counts as in use until the message is deleted, or goes
    /// with retention.
    func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void)

    /// Reads a part of a room's history. A room that nobody wrote to has an epoch and the head offset 0.
    func read(_ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void)

    /// Stores how far users have got, all of the batch or nothing.
    ///
    /// Of two receipts of a user in a room the store keeps the further offsets, in whatever order they come and whoever
    /// writes them: none ever goes back. What is beyond the room's head, or of another epoch than the room's, is left
    /// out.
    func store(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void)

    /// Stores mutes, bans and pardons, all of the batch or none: an outcome for each, in the order of the batch, in which they
    /// take effect.
    ///
    /// A mute or ban ends after its length by the store's clock. One that is over counts as one that isn't there. A mute
    /// doesn't change a ban (`SanctionOutcome.decide`). Whoever is banned doesn't follow the room any more.
    func store(
        _ sanctions: [SanctionNote], completion: @escaping @Sendable (Result<[SanctionOutcome], StoreError>) -> Void)

    /// Reads a user's rooms: those that the user follows, without those that the user is banned from now.
    func read(_ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void)
}
