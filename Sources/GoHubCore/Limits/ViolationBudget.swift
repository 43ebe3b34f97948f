/// A budget for a peer's misbehaviour: a number per minute, refilled evenly.
///
/// It belongs to one session, so it needs no atomic. Time is an argument, as everywhere.
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
    /// - Returns: false when the budget is exhausted. Asking then costs nothing, so that it still refills.
    mutating func spend(now: MonotonicTime) -> Bool {
        let refilled = Double(now.since(updatedAt).value) * Double(perMinute) / 60_000
        spent = max(0, spent - refilled)
        updatedAt = max(updatedAt, now)
        guard spent + 1 <= Double(perMinute) else { return false }
        spent += 1
        return true
    }
}
