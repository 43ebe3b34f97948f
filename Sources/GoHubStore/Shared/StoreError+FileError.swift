internal import GoHubCore

extension StoreError {
    /// The failure of the store behind a file error, or one that says the same.
    init(_ error: FileError) {
        self = error.underlying as? StoreError ?? StoreError(.unavailable, error.message, underlying: error)
    }
}
