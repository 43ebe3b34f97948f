/// The files of rooms, as a message store in memory asks for those that messages hold. A durable store has files and
/// messages in one database, and needs no such thing.
///
/// It is asked under the store's lock, so that the look at a file, its use and the message are one: it answers at once, and
/// never calls the store.
public protocol RoomFiles: Sendable {
    /// Counts one more message that holds these files.
    ///
    /// - Parameter ids: each once.
    /// - Returns: the files, in the order of the ids; `nil`, and nothing is counted, unless all of them are complete and of
    ///   this very room.
    func use(_ ids: [FileID], in room: RoomID) -> [StoredFile]?

    /// Counts one less for each, as often as it is named. One that is gone is passed over.
    ///
    /// - Parameter time: what a file that nothing holds any more is unused since.
    func release(_ ids: [FileID], at time: WallTime)
}
