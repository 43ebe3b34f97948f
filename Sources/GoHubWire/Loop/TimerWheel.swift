internal import GoHubCore

/// Many coarse deadlines at a cost of a few bytes each: a hashed timing wheel.
///
/// Deadlines are rounded up to a tick. A deadline further away than one revolution stays in its slot for several.
/// Timers can't be cancelled: the called key checks whether it is still due, and schedules again if not.
struct TimerWheel<Key> {
    private struct Entry {
        var deadline: MonotonicTime
        var key: Key
    }

    static var tick: Milliseconds { 50 }
    private static var slotCount: Int { 512 }

    private var slots: [[Entry]]
    private var count = 0
    /// The last processed tick.
    private var current: UInt64

    init(now: MonotonicTime) {
        slots = Array(repeating: [], count: Self.slotCount)
        current = Self.tickNumber(now)
    }

    var isEmpty: Bool { count == 0 }

    mutating func schedule(_ key: Key, at deadline: MonotonicTime) {
        let tick = max(Self.tickNumber(deadline) + 1, current + 1)
        slots[Int(tick % UInt64(Self.slotCount))].append(Entry(deadline: deadline, key: key))
        count += 1
    }

    /// Removes and returns the keys whose deadlines have passed.
    mutating func advance(to now: MonotonicTime) -> [Key] {
        let target = Self.tickNumber(now)
        guard target > current else { return [] }
        guard count > 0 else {
            current = target
            return []
        }
        var due: [Key] = []
        // After a long pause one look at each slot is enough.
        for tick in (current + 1)...min(target, current + UInt64(Self.slotCount)) {
            let slot = Int(tick % UInt64(Self.slotCount))
            guard !slots[slot].isEmpty else { continue }
            var later: [Entry] = []
            for entry in slots[slot] {
                if entry.deadline <= now { due.append(entry.key) } else { later.append(entry) }
            }
            slots[slot] = later
        }
        count -= due.count
        current = target
        return due
    }

    private static func tickNumber(_ time: MonotonicTime) -> UInt64 {
        time.nanoseconds / (tick.value * 1_000_000)
    }
}
