/// A reading of a hybrid logical clock: later than every reading that its node had made or heard before.
///
/// The upper 48 bits are milliseconds of calendar time, the lower 16 a counter. A node whose calendar is behind counts
/// on from what it hears, so that wrong calendars change no order between nodes that hear each other.
///
/// Source: Kulkarni et al., "Logical Physical Clocks", OPODIS 2014.
package struct HybridTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt64

    /// The latest reading that is believed. It leaves as many readings above it as below, so that a peer can't make the
    /// clock run out. Its calendar would be that of the year 6429.
    package static let max = HybridTime(value: 1 << 63)

    package init(value: UInt64) {
        self.value = value
    }

    package static func < (left: HybridTime, right: HybridTime) -> Bool { left.value < right.value }

    package var description: String { "\(value >> 16).\(value & 0xFFFF)" }
}

/// A node's hybrid logical clock.
package struct HybridClock: Sendable {
    package private(set) var last = HybridTime(value: 0)

    package init() {}

    /// The next reading. Greater than all before, and than all that were heard.
    ///
    /// - Parameter wall: the node's calendar, however wrong.
    package mutating func next(at wall: WallTime) -> HybridTime {
        let calendar = UInt64(clamping: wall.milliseconds)
        let physical = calendar < HybridTime.max.value >> 16 ? calendar << 16 : 0
        let (counted, isOver) = last.value.addingReportingOverflow(1)
        // `last` never exceeds `max` but for readings made here, one by one: 2⁶³ of them would take centuries.
        last = HybridTime(value: isOver ? last.value : Swift.max(physical, counted))
        return last
    }

    /// Notes a reading of another node.
    package mutating func heard(_ time: HybridTime) {
        guard time <= .max else { return }
        last = Swift.max(last, time)
    }
}
