internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// Wakes a loop at even intervals (timerfd_create(2)).
///
/// A wait with a time limit makes the kernel set and cancel a timer in each turn. One periodic timer costs a busy loop
/// nothing.
final class Ticker: EventHandler {
    private let timer: OwnedDescriptor
    private var interval: Milliseconds = 0

    init() throws(SystemError) {
        timer = try OwnedDescriptor("timerfd_create") {
            timerfd_create(CLOCK_MONOTONIC, Int32(O_CLOEXEC | O_NONBLOCK))
        }
    }

    /// For watching.
    var descriptor: Int32 { timer.rawValue }

    /// Makes a system call only when the interval changes.
    func tick(every interval: Milliseconds) {
        guard interval != self.interval else { return }
        let (seconds, nanoseconds) = (Int(interval.value / 1000), Int(interval.value % 1000) * 1_000_000)
        var setting = gohub_itimerspec(
            interval_sec: seconds, interval_nsec: nanoseconds, value_sec: seconds, value_nsec: nanoseconds)
        // Can't fail: the descriptor is a timer, and the times are in range. If it did, the next call would retry.
        if timerfd_settime(descriptor, 0, &setting, nil) == 0 { self.interval = interval }
    }

    /// Reads the expirations, without which the kernel doesn't rearm the timer.
    func readable() {
        var ends: UInt64 = 0
        _ = retryingInterrupts { read(descriptor, &ends, 8) }
    }

    func writable() {}
    func broken() {}
}
