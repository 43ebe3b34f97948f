public import GoHubCore

/// A store that keeps messages over a restart, and so has something to close.
///
/// What it has answered with `stored` is on stable storage, as far as the system and the database's settings keep that
/// promise: `Docs/Durability.md`.
public protocol DurableMessageStore: MessageStore {
    /// Whether it can answer now. A server that is out of reach makes it false until it is back.
    var isReady: Bool { get }

    /// Removes what is too old now, instead of when it is time (`StoreSettings.sweepInterval`).
    func sweep() async throws(StoreError)

    /// Takes nothing new, answers all that waits, and returns when the file or the connections are closed.
    func close() async
}
