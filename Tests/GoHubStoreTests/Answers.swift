import Glibc
import GoHubCore
import Synchronization

/// Outcomes in the order of the store's answers.
final class Answers: Sendable {
    private let outcomes = Mutex<[AppendOutcome]>([])

    func add(_ more: [AppendOutcome]) {
        outcomes.withLock { $0 += more }
    }

    var all: [AppendOutcome] { outcomes.withLock { $0 } }
}

/// Holds a thread until the test releases it.
final class Gate: Sendable {
    private let arrivals = AsyncStream.makeStream(of: Void.self)
    private let pipe: (read: Int32, write: Int32)

    init() {
        var ends: [Int32] = [-1, -1]
        // Without descriptors nothing is held, and the test's expectations fail.
        _ = Glibc.pipe(&ends)
        pipe = (ends[0], ends[1])
    }

    deinit {
        close(pipe.read)
        close(pipe.write)
    }

    func arrive() { arrivals.continuation.yield() }

    func waitForArrival() async {
        for await _ in arrivals.stream { return }
    }

    /// Blocks the thread, five minutes at most: other tests may keep the opener waiting.
    func pass() {
        var waiting = pollfd(fd: pipe.read, events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, 300_000)
    }

    func open() {
        var byte: UInt8 = 1
        _ = write(pipe.write, &byte, 1)
    }
}
