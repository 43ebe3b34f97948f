internal import GoHubCore

/// The effect of a receipt on following, as a parameter of the statements that store receipts.
enum FollowColumn: Int64 {
    case unchanged = 0
    case follows = 1
    case ends = 2

    init(_ follows: Bool?) {
        self = follows.map { $0 ? .follows : .ends } ?? .unchanged
    }
}
