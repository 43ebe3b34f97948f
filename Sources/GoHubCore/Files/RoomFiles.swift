/// Access to rooms' files for an in-memory message store. A durable store has files and messages in one database and
/// does not need it.
///
/// It is called under the store's lock, so that checking a file, counting its use and storing the message are atomic.
/// It answers synchronously and never calls the store.
public protocol RoomFiles: Sendable {
    /// Counts a message that has these files.
    ///
    /// - Parameters:
    ///   - ids: distinct ids.
    ///   - room: the message's room.
    /// - Returns: the files in the order of the ids; `nil`, without counting anything, unless all of them are complete
    ///   and belong to this room.
    func use(_ ids: [FileID], in room: RoomID) -> [StoredFile]?

    /// Decrements the use count of each file, once for each occurrence. Missing files are ignored.
    ///
    /// - Parameters:
    ///   - ids: may contain a file several times.
    ///   - time: the time from which a file without a use counts as unused.
    func release(_ ids: [FileID], at time: WallTime)
}
