internal import GoHubCore

extension StoreError {
    /// A row that only another program can have written.
    ///
    /// - Parameters:
    ///   - what: such as "a message".
    ///   - place: the database, as errors name it.
    static func corruptRow(_ what: String, in place: String) -> StoreError {
        StoreError("\(place) holds \(what) that no hub wrote; restore it from a backup")
    }
}
