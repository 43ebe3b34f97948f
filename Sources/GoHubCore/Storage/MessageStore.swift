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

/// A store that has its answer at once, because it waits for nothing: one in memory. A shell that knows this gets the
/// answer where it asks, one message after the other, without a batch, a completion or another turn.
public protocol ImmediateMessageStore: MessageStore {
    /// Stores one message, as `append` of a batch does.
    func append(_ draft: MessageDraft) -> AppendOutcome

    /// Reads as `read` with a completion does.
    func read(_ request: HistoryRequest) -> HistoryPage

    /// Stores as `store` with a completion does.
    func store(_ receipts: [ReceiptNote])

    /// Stores as `store` with a completion does.
    func store(_ sanctions: [SanctionNote]) -> [SanctionOutcome]

    /// Reads as `read` with a completion does.
    func read(_ request: RoomsRequest) -> RoomsPage
}

extension ImmediateMessageStore {
    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        completion(batch.map { append($0) })
    }

    public func read(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        completion(.success(read(request)))
    }

    public func store(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        completion(.success(store(receipts)))
    }

    public func store(
        _ sanctions: [SanctionNote], completion: @escaping @Sendable (Result<[SanctionOutcome], StoreError>) -> Void
    ) {
        completion(.success(store(sanctions)))
    }

    public func read(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        completion(.success(read(request)))
    }
}

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

public struct HistoryRequest: Hashable, Sendable {
    public var room: RoomID
    public var range: HistoryRange
    public var messagesMax: Int
    /// Bytes of JSON (`StoredMessage.answerBytes`), after which the page ends; one message always fits.
    public var bytesMax: Int
    /// The most receipts that come with the page; which ones, when there are more, is open.
    public var receiptsMax: Int
    /// The most mutes and bans that come with the page.
    public var sanctionsMax: Int

    public init(
        room: RoomID, range: HistoryRange, messagesMax: Int, bytesMax: Int, receiptsMax: Int = 0, sanctionsMax: Int = 0
    ) {
        self.room = room
        self.range = range
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
        self.receiptsMax = receiptsMax
        self.sanctionsMax = sanctionsMax
    }

    /// Asks for a room's mutes and bans alone.
    public static func sanctions(of room: RoomID, max: Int) -> HistoryRequest {
        HistoryRequest(room: room, range: .newest, messagesMax: 0, bytesMax: 0, sanctionsMax: max)
    }
}

/// Why a store couldn't. The message is for the log; a client is told `unavailable`.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    /// Whether what was to be stored may be stored all the same, now or later: its outcome is unknown.
    public let mayBeStored: Bool

    /// - Parameter mayBeStored: false where it is certain that nothing was, and will be, stored.
    public init(_ message: String, mayBeStored: Bool = true) {
        self.message = message
        self.mayBeStored = mayBeStored
    }

    /// The same, where nothing was, or will be, stored.
    public var withNothingStored: StoreError { StoreError(message, mayBeStored: false) }

    public var description: String { message }
}
