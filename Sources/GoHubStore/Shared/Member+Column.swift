internal import GoHubCore

extension Member {
    /// The value of the name column: NULL for most users, whose name is their id.
    var nameColumn: String? { isNamed ? name : nil }
}
