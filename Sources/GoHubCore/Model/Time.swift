/// A reading of a monotonic clock, in nanoseconds since an arbitrary start.
///
/// Nothing in Core but `Hub.Time` reads a clock: the shell passes the time in, and a test passes any it likes.
public struct MonotonicTime: Hashable, Comparable, Sendable {
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Adds a duration; saturates at the end of the range instead of overflowing.
    public static func + (time: MonotonicTime, milliseconds: Milliseconds) -> MonotonicTime {
        let (product, tooLong) = milliseconds.value.multipliedReportingOverflow(by: 1_000_000)
        let (sum, tooLate) = time.nanoseconds.addingReportingOverflow(product)
        return MonotonicTime(nanoseconds: tooLong || tooLate ? .max : sum)
    }

    /// The time from an earlier reading to this one, rounded up; 0 when the other isn't earlier.
    public func since(_ earlier: MonotonicTime) -> Milliseconds {
        guard earlier < self else { return 0 }
        let nanoseconds = self.nanoseconds - earlier.nanoseconds
        return Milliseconds(nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1))
    }
}

/// A duration.
public struct Milliseconds: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    public let value: UInt64

    public init(_ value: UInt64) {
        self.value = value
    }

    public init(integerLiteral value: UInt64) {
        self.value = value
    }

    /// - Parameter seconds: at most 2⁶⁴ / 1000; more would overflow and trap.
    public static func seconds(_ seconds: UInt64) -> Milliseconds {
        Milliseconds(seconds * 1000)
    }

    public static func < (left: Milliseconds, right: Milliseconds) -> Bool {
        left.value < right.value
    }

    public var description: String { "\(value) ms" }
}

/// Calendar time in milliseconds since 1970-01-01 UTC, as in the protocol.
public struct WallTime: Hashable, Comparable, Sendable {
    /// Negative before 1970.
    public let milliseconds: Int64

    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    public static func < (left: WallTime, right: WallTime) -> Bool {
        left.milliseconds < right.milliseconds
    }
}
