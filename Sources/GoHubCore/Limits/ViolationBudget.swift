/// How much misbehaviour of one peer is put up with: a number a minute, refilled evenly.
///
/// One that belongs to one session, so it needs no atomic; time is an argument as everywhere.
struct ViolationBudget {
    private let perMinute: Int
    private var spent: Double = 0
    private var updatedAt: MonotonicTime

    init(perMinute: Int, now: MonotonicTime) {
        self.perMinute = perMinute
        updatedAt = now
    }

    /// Takes one from the budget.
    ///
    /// - Returns: false when it is exhausted; asking then costs nothing, so that it refills all the same.
    mutating func spend(now: MonotonicTime) -> Bool {
        let refilled = Double(now.since(updatedAt).value) * Double(perMinute) / 60_000
        spent = max(0, spent - refilled)
        updatedAt = max(updatedAt, now)
        guard spent + 1 <= Double(perMinute) else { return false }
        spent += 1
        return true
    }
}
