/// A request for a page of a room's history, with receipts, mutes and bans.
public struct HistoryRequest: Hashable, Sendable {
    public var room: RoomID
    public var range: HistoryRange
    public var messagesMax: Int
    /// Bytes of JSON (`StoredMessage.answerBytes`) after which the page ends; one message always fits.
    public var bytesMax: Int
    /// The maximum number of receipts with the page; which ones is unspecified if there are more.
    public var receiptsMax: Int
    /// The maximum number of mutes and bans with the page.
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

    /// A request for a room's mutes and bans only.
    public static func sanctions(of room: RoomID, max: Int) -> HistoryRequest {
        HistoryRequest(room: room, range: .newest, messagesMax: 0, bytesMax: 0, sanctionsMax: max)
    }
}
