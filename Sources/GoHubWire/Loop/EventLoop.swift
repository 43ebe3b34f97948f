internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// A handler for a descriptor that a loop watches.
protocol EventHandler: AnyObject {
    func readable()
    func writable()
    /// The peer is gone or the socket has failed; `readable` and `writable` are not called again in this turn.
    func broken()
}

/// Handles a loop's turns, apart from descriptors.
protocol LoopOwner: AnyObject {
    /// The maximum time between turns, and therefore the precision of the owner's deadlines.
    var tickInterval: Milliseconds { get }
    /// Called before each wait.
    ///
    /// - Returns: false when there is work that no descriptor reports.
    func mayWait() -> Bool
    /// Called at the end of each turn; must perform everything that the turn's events have caused.
    func turnEnded()
}

extension LoopOwner {
    func mayWait() -> Bool { true }
}

/// One thread's loop: waits for descriptors, calls their handlers, and calls the owner at the end of each turn.
///
/// Everything in it belongs to its thread. The slab of handlers is indexed by descriptor. A generation in the token
/// distinguishes an event of a closed descriptor from one of its successor with the same number.
final class EventLoop {
    private struct Slot {
        var handler: (any EventHandler)?
        var generation: UInt32 = 0
    }

    private let poller: any Poller
    private let ticker: Ticker
    private var slots: [Slot] = []
    private var isRunning = true
    /// The number of turns since the start; reveals a loop that spins.
    private(set) var turnCount: UInt64 = 0
    /// Read at the beginning of each turn.
    private(set) var now: MonotonicTime
    private(set) var wallTime: WallTime
    /// Handlers with input that the socket doesn't report, such as decrypted bytes.
    private var readAgain: [any EventHandler] = []
    /// One buffer for all reading on this loop, so that an idle connection needs none.
    let readBuffer: UnsafeMutableRawBufferPointer
    static let readBytesMax = 64 * 1024

    init(poller: any Poller) throws(SystemError) {
        self.poller = poller
        ticker = try Ticker()
        now = .now()
        wallTime = .now()
        readBuffer = .allocate(byteCount: Self.readBytesMax, alignment: 16)
        try register(ticker.descriptor, .read, ticker)
    }

    deinit {
        readBuffer.deallocate()
    }

    // MARK: Descriptors

    func register(_ fd: Int32, _ interest: Interest, _ handler: any EventHandler) throws(SystemError) {
        let index = Int(fd)
        if index >= slots.count {
            slots += Array(repeating: Slot(), count: max(index + 1 - slots.count, slots.count))
        }
        slots[index].generation &+= 1
        try poller.add(fd, token: token(of: fd), interest)
        slots[index].handler = handler
    }

    func update(_ fd: Int32, _ interest: Interest) {
        poller.modify(fd, token: token(of: fd), interest)
    }

    /// Call it before closing the descriptor.
    func unregister(_ fd: Int32) {
        poller.remove(fd)
        slots[Int(fd)].handler = nil
    }

    private func token(of fd: Int32) -> UInt64 {
        UInt64(slots[Int(fd)].generation) << 32 | UInt64(UInt32(bitPattern: fd))
    }

    private func handler(_ token: UInt64) -> (any EventHandler)? {
        let index = Int(UInt32(truncatingIfNeeded: token))
        guard index < slots.count, slots[index].generation == UInt32(truncatingIfNeeded: token >> 32) else {
            return nil
        }
        return slots[index].handler
    }

    /// Calls `readable` again in the next turn, although the socket has no new bytes.
    func scheduleRead(_ handler: any EventHandler) {
        readAgain.append(handler)
    }

    // MARK: Running

    /// Runs until `stop`.
    func run(_ owner: any LoopOwner) {
        owner.turnEnded()
        while isRunning {
            ticker.tick(every: owner.tickInterval)
            wait(readAgain.isEmpty && owner.mayWait() ? nil : 0)
            if !readAgain.isEmpty {
                let again = readAgain
                readAgain = []
                for handler in again { handler.readable() }
            }
            turnCount &+= 1
            owner.turnEnded()
        }
    }

    func stop() {
        isRunning = false
    }

    /// Reads descriptors that have become ready since the turn began.
    ///
    /// - Returns: whether there were any.
    func readMore() -> Bool {
        wait(0)
    }

    @discardableResult
    private func wait(_ timeout: Milliseconds?) -> Bool {
        var isFirst = true
        poller.wait(timeout: timeout) { ready in
            // The clocks are read once, after the wait, for all ready descriptors.
            if isFirst { readClocks() }
            isFirst = false
            dispatch(ready)
        }
        guard isFirst else { return true }
        readClocks()
        return false
    }

    private func readClocks() {
        now = .now()
        wallTime = .now()
    }

    private func dispatch(_ ready: Readiness) {
        guard let handler = handler(ready.token) else { return }
        // Bytes that the peer sent before it closed are still read.
        if ready.isReadable { handler.readable() }
        guard self.handler(ready.token) != nil else { return }
        if ready.isBroken, !ready.isReadable {
            handler.broken()
        } else if ready.isWritable {
            handler.writable()
        }
    }
}
