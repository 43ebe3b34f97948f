internal import GoHubCore

extension WallTime {
    /// The time that long before; stays at the start of the range instead of overflowing.
    func before(by time: Milliseconds) -> WallTime {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(Int64(clamping: time.value))
        return WallTime(milliseconds: overflow ? .min : difference)
    }

    /// How long it is until another time; 0 when that is over.
    func distance(to other: WallTime) -> Milliseconds {
        guard other.milliseconds > milliseconds else { return 0 }
        return Milliseconds(
            UInt64(other.milliseconds.subtractingReportingOverflow(milliseconds).partialValue.magnitude))
    }

    /// The time that long after; stays at the end of the range instead of overflowing.
    func after(_ time: Milliseconds) -> WallTime {
        let (sum, overflow) = milliseconds.addingReportingOverflow(Int64(clamping: time.value))
        return WallTime(milliseconds: overflow ? .max : sum)
    }
}
