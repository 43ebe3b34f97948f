internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// What a descriptor is watched for.
struct Interest: OptionSet {
    let rawValue: UInt8

    static let read = Interest(rawValue: 1)
    static let write = Interest(rawValue: 2)
    /// Told once for each time that it becomes so, and not for as long as it is (EPOLLET).
    static let edge = Interest(rawValue: 4)
}

/// What has become of a descriptor.
struct Readiness {
    var token: UInt64
    var isReadable: Bool
    var isWritable: Bool
    /// The peer is gone in both directions, or the socket has failed.
    var isBroken: Bool
}

/// The seam between the event loop and the system's way of waiting for many descriptors.
protocol Poller: AnyObject {
    func add(_ fd: Int32, token: UInt64, _ interest: Interest) throws(SystemError)
    func modify(_ fd: Int32, token: UInt64, _ interest: Interest)
    func remove(_ fd: Int32)
    /// Waits for at most `timeout`, or for ever when it is `nil`, and calls `body` for each descriptor that is ready.
    func wait(timeout: Milliseconds?, _ body: (Readiness) -> Void)
}

/// Level-triggered epoll(7).
///
/// Level-triggered, because what isn't read in one turn is then told again in the next, after everybody else had
/// theirs; write interest is only set while something waits to be written.
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

    /// Can't fail: the descriptor is open and known, and no memory is needed.
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
        // An interrupted wait is an empty one: the loop comes back by itself.
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
