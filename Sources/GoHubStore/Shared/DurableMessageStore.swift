public import GoHubCore

/// A store that keeps messages over a restart and must be closed.
///
/// A message answered with `stored` is on stable storage, as far as the system and the database's settings guarantee
/// it: `Docs/Durability.md`.
public protocol DurableMessageStore: MessageStore {
    /// Whether it can answer now. False while the server is unreachable.
    var isReady: Bool { get }

    /// Runs retention now, instead of at the next `StoreSettings.sweepInterval`.
    ///
    /// - Throws: `StoreError` when the database fails, the queue is full or the store is closed.
    func sweep() async throws(StoreError)

    /// Refuses new requests, answers all waiting ones, and returns when the file or the connections are closed.
    func close() async
}
