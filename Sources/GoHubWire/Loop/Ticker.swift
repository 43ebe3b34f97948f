internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// Wakes a loop at even intervals (timerfd_create(2)).
///
/// A wait that has a time limit makes the kernel set a timer and take it back again with each turn; one timer that goes
/// on by itself costs a busy loop nothing.
final class Ticker: EventHandler {
    private let timer: OwnedDescriptor
    private var interval: Milliseconds = 0

    init() throws(SystemError) {
        timer = try OwnedDescriptor("timerfd_create") {
            timerfd_create(CLOCK_MONOTONIC, Int32(O_CLOEXEC | O_NONBLOCK))
        }
    }

    /// To be watched.
    var descriptor: Int32 { timer.rawValue }

    /// A system call only when the interval is another one than before.
    func tick(every interval: Milliseconds) {
        guard interval != self.interval else { return }
        let (seconds, nanoseconds) = (Int(interval.value / 1000), Int(interval.value % 1000) * 1_000_000)
        var setting = gohub_itimerspec(
            interval_sec: seconds, interval_nsec: nanoseconds, value_sec: seconds, value_nsec: nanoseconds)
        // Can't fail: the descriptor is a timer, and the times are in range. If it did, the next call would try again.
        if timerfd_settime(descriptor, 0, &setting, nil) == 0 { self.interval = interval }
    }

    /// The kernel sets a timer on only when its last end was read.
    func readable() {
        var ends: UInt64 = 0
        _ = retryingInterrupts { read(descriptor, &ends, 8) }
    }

    func writable() {}
    func broken() {}
}
