internal import GoHubCore

extension WallTime {
    /// Subtracts a duration; saturates at the start of the range instead of overflowing.
    func before(by time: Milliseconds) -> WallTime {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(Int64(clamping: time.value))
        return WallTime(milliseconds: overflow ? .min : difference)
    }

    /// The duration until another time; 0 when that has passed.
    func distance(to other: WallTime) -> Milliseconds {
        guard other.milliseconds > milliseconds else { return 0 }
        return Milliseconds(
            UInt64(other.milliseconds.subtractingReportingOverflow(milliseconds).partialValue.magnitude))
    }

    /// Adds a duration; saturates at the end of the range instead of overflowing.
    func after(_ time: Milliseconds) -> WallTime {
        let (sum, overflow) = milliseconds.addingReportingOverflow(Int64(clamping: time.value))
        return WallTime(milliseconds: overflow ? .max : sum)
    }
}
