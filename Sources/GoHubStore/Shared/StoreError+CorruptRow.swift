internal import GoHubCore

extension StoreError {
    /// A row that only another program can have written.
    ///
    /// - Parameters:
    ///   - what: such as "message".
    ///   - place: the database, as errors name it.
    static func corruptRow(_ what: String, in place: String) -> StoreError {
        StoreError(
            "\(place) contains a malformed \(what) row (not written by GoHub, or corrupted). Restore it from a backup.")
    }
}
