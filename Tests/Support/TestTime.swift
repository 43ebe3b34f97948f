public import GoHubCore
internal import Synchronization

extension MonotonicTime {
    /// The time this many milliseconds after the start of the test's clock.
    public static func ms(_ milliseconds: UInt64) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0) + Milliseconds(milliseconds)
    }
}

extension WallTime {
    /// The time this many milliseconds after 2026-01-01 UTC, the start of every test.
    public static func ms(_ milliseconds: Int64) -> WallTime {
        WallTime(milliseconds: 1_767_225_600_000 + milliseconds)
    }
}

/// Both clocks of a hub, moved only by the test.
public final class TestTime: Sendable {
    private let elapsed = Mutex<UInt64>(0)

    public init() {}

    public var now: MonotonicTime { .ms(elapsed.withLock { $0 }) }
    public var wall: WallTime { .ms(Int64(clamping: elapsed.withLock { $0 })) }

    public var hubTime: Hub.Time { Hub.Time(now: { self.now }, wall: { self.wall }) }

    public func advance(by time: Milliseconds) {
        elapsed.withLock { $0 += time.value }
    }
}
