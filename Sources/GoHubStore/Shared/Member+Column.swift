internal import GoHubCore

extension Member {
    /// The name as a column has it: NULL for most users, who have no other name than their id.
    var nameColumn: String? { isNamed ? name : nil }
}
