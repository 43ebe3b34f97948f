internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// The events for which a descriptor is watched.
struct Interest: OptionSet {
    let rawValue: UInt8

    static let read = Interest(rawValue: 1)
    static let write = Interest(rawValue: 2)
    /// Reported once for each change to ready, not for as long as the descriptor is ready (EPOLLET).
    static let edge = Interest(rawValue: 4)
}

/// A descriptor's reported events.
struct Readiness {
    var token: UInt64
    var isReadable: Bool
    var isWritable: Bool
    /// The peer is gone in both directions, or the socket has failed.
    var isBroken: Bool
}

/// The interface between the event loop and the system's call for waiting for many descriptors.
protocol Poller: AnyObject {
    func add(_ fd: Int32, token: UInt64, _ interest: Interest) throws(SystemError)
    func modify(_ fd: Int32, token: UInt64, _ interest: Interest)
    func remove(_ fd: Int32)
    /// Waits for at most `timeout`, or without a limit when it is `nil`, and calls `body` for each ready descriptor.
    func wait(timeout: Milliseconds?, _ body: (Readiness) -> Void)
}

/// Level-triggered epoll(7).
///
/// Level-triggered, because bytes left unread in one turn are then reported again in the next, after all others had
/// their turn. Write interest is set only while bytes wait to be written.
final class EpollPoller: Poller {
    private let descriptor: OwnedDescriptor
    private var events: [epoll_event]

    init(eventsMax: Int = 1024) throws(SystemError) {
        descriptor = try OwnedDescriptor("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
        events = [epoll_event](repeating: epoll_event(), count: eventsMax)
    }

    func add(_ fd: Int32, token: UInt64, _ interest: Interest) throws(SystemError) {
        guard control(EPOLL_CTL_ADD, fd, token, interest) == 0 else { throw SystemError("epoll_ctl") }
    }

    /// Can't fail: the descriptor is open and registered, and no memory is needed.
    func modify(_ fd: Int32, token: UInt64, _ interest: Interest) {
        let result = control(EPOLL_CTL_MOD, fd, token, interest)
        assert(result == 0, "epoll_ctl: \(systemErrorText(errno))")
    }

    func remove(_ fd: Int32) {
        _ = control(EPOLL_CTL_DEL, fd, 0, [])
    }

    private func control(_ operation: Int32, _ fd: Int32, _ token: UInt64, _ interest: Interest) -> Int32 {
        var event = epoll_event()
        if interest.contains(.read) { event.events |= EPOLLIN.rawValue }
        if interest.contains(.write) { event.events |= EPOLLOUT.rawValue }
        if interest.contains(.edge) { event.events |= EPOLLET.rawValue }
        event.data.u64 = token
        return epoll_ctl(descriptor.rawValue, operation, fd, &event)
    }

    func wait(timeout: Milliseconds?, _ body: (Readiness) -> Void) {
        let milliseconds = timeout.map { Int32(clamping: $0.value) } ?? -1
        let count = epoll_wait(descriptor.rawValue, &events, Int32(events.count), milliseconds)
        // An interrupted wait counts as an empty one: the loop waits again.
        guard count > 0 else { return }
        for event in events.prefix(Int(count)) {
            body(
                Readiness(
                    token: event.data.u64, isReadable: event.events & EPOLLIN.rawValue != 0,
                    isWritable: event.events & EPOLLOUT.rawValue != 0,
                    isBroken: event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0))
        }
    }
}
