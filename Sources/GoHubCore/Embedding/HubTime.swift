#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

extension Hub {
    /// A hub's clocks. A test can supply its own.
    public struct Time: Sendable {
        /// Monotonic time, for timers, timeouts and rates.
        public var now: @Sendable () -> MonotonicTime
        /// Calendar time, for the times in events and the end of credentials.
        public var wall: @Sendable () -> WallTime

        public init(now: @escaping @Sendable () -> MonotonicTime, wall: @escaping @Sendable () -> WallTime) {
            self.now = now
            self.wall = wall
        }

        /// The machine's clocks.
        public static let system = Hub.Time(now: MonotonicTime.now, wall: WallTime.now)
    }
}

// MARK: The machine's clocks

// Nothing else in this module reads a clock. States take the time as an argument.

extension MonotonicTime {
    /// The current time of the machine's monotonic clock. For shells only.
    public static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}

extension WallTime {
    /// The current time of the machine's real-time clock. For shells only.
    public static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

extension InMemoryMessageStore {
    /// A store whose mutes and bans end by the machine's clock.
    ///
    /// - Parameters:
    ///   - capacity: the bounds of the store.
    ///   - seed: distinguishes this store's epochs from those of any other run.
    ///   - files: the files that messages may hold. Without it, messages with files are refused.
    public convenience init(
        capacity: Capacity = Capacity(), seed: UInt64 = .random(in: .min ... .max), files: (any RoomFiles)? = nil
    ) {
        self.init(capacity: capacity, seed: seed, files: files, now: Hub.Time.system.now)
    }
}
