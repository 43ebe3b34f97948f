internal import CGoHubLinux
internal import Glibc

/// A descriptor that another thread makes readable (eventfd(2)). A signal before the wait ends the wait at once.
package final class WakeupDescriptor: Sendable {
    private let descriptor: OwnedDescriptor

    package init() throws(SystemError) {
        descriptor = try OwnedDescriptor("eventfd") { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }
    }

    /// For watching; only this object reads and writes it.
    package var rawValue: Int32 { descriptor.rawValue }

    package func signal() {
        var one: UInt64 = 1
        // Fails only when the counter is full, after 2⁶⁴ unread signals: then it is readable anyway.
        _ = retryingInterrupts { write(descriptor.rawValue, &one, 8) }
    }

    /// Resets the signal, for a thread that watches the descriptor by itself.
    package func reset() {
        var count: UInt64 = 0
        _ = read(rawValue, &count, 8)
    }

    /// Waits for a signal or for another descriptor, and resets the signal.
    ///
    /// - Parameters:
    ///   - other: the other descriptor; below 0 for none.
    ///   - events: `POLLIN` and `POLLOUT`, for the other descriptor.
    /// - Returns: whether the other descriptor is ready, possibly with an error.
    @discardableResult
    package func wait(milliseconds: UInt64, or other: Int32 = -1, events: Int32 = 0) -> Bool {
        // The system ignores a descriptor below 0.
        var waiting = [
            pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(truncatingIfNeeded: events), revents: 0),
        ]
        _ = poll(&waiting, 2, Int32(clamping: milliseconds))
        if waiting[0].revents != 0 { reset() }
        return waiting[1].revents != 0
    }
}
