internal import GoHubCore
internal import GoHubSystem

/// A detached thread for a store's blocking work.
enum StoreThread {
    /// - Parameter name: shown by the system's tools, at most 15 bytes.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(StoreError) {
        do throws(SystemError) {
            try SystemThread(name: name, body).detach()
        } catch {
            throw StoreError(.unavailable, "No thread could be started for the store (\(error)).", underlying: error)
        }
    }
}
