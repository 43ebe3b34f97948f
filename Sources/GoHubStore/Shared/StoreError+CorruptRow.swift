internal import GoHubCore

extension StoreError {
    /// An error for a row that only another program can have written.
    ///
    /// - Parameters:
    ///   - what: the kind of row, such as "message".
    ///   - place: the database's name in errors.
    static func corruptRow(_ what: String, in place: String) -> StoreError {
        StoreError(
            .corrupt,
            "\(place) contains a malformed \(what) row (not written by GoHub, or corrupted). Restore it from a backup.")
    }
}
