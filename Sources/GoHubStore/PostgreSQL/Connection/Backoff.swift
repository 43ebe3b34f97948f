internal import GoHubCore

/// How long to wait between attempts: twice as long each time, up to a bound, and between half and all of that at
/// random, so that the nodes that lost a server together don't come back together.
struct Backoff: Sendable {
    var min: Milliseconds = 100
    var max: Milliseconds = .seconds(2)

    /// - Parameters:
    ///   - attempt: 0 for the first wait.
    ///   - random: any number, of which all bits are random.
    func delay(attempt: Int, random: UInt64) -> Milliseconds {
        let doublings = UInt64(Swift.min(Swift.max(0, attempt), 32))
        let (product, overflow) = min.value.multipliedReportingOverflow(by: 1 << doublings)
        let whole = overflow ? max.value : Swift.min(product, max.value)
        let half = whole / 2
        return Milliseconds(half + random % (whole - half + 1))
    }
}
