/// The delay between attempts: doubles each time, up to a bound, with a random factor between half and one, so that
/// nodes that lost a server together don't reconnect together.
package struct Backoff: Hashable, Sendable {
    package var min: Milliseconds
    package var max: Milliseconds

    package init(min: Milliseconds = 100, max: Milliseconds = .seconds(2)) {
        self.min = min
        self.max = max
    }

    /// - Parameters:
    ///   - attempt: 0 for the first delay.
    ///   - random: a number with all bits random.
    package func delay(attempt: Int, random: UInt64) -> Milliseconds {
        let doublings = UInt64(Swift.min(Swift.max(0, attempt), 32))
        let (product, overflow) = min.value.multipliedReportingOverflow(by: 1 << doublings)
        let whole = overflow ? max.value : Swift.min(product, max.value)
        let half = whole / 2
        return Milliseconds(half + random % (whole - half + 1))
    }
}
