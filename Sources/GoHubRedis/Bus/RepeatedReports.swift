/// Leaves out what the operator has read already: while a server is away, every attempt fails for the same reason.
///
/// Each reason is reported once between two links. There are few of them; beyond a bound, the rest is left out.
struct RepeatedReports {
    private static let reasonsMax = 32

    private var reported: Set<RedisBusReport> = []

    /// - Returns: whether the report is news.
    mutating func isNews(_ report: RedisBusReport) -> Bool {
        switch report {
        case .connected:
            reported = []
            return true
        case .lost(let error):
            reported = [.failed(error)]
            return true
        case .failed, .sentinelFailed:
            guard reported.count < Self.reasonsMax else { return false }
            return reported.insert(report).inserted
        }
    }
}
