import GoHubSystem
import Synchronization
import Testing

@Suite struct WaitingTests {
    private final class Flag: Sendable {
        private let state = Atomic(false)

        var isSet: Bool { state.load(ordering: .acquiring) }

        func set() { state.store(true, ordering: .releasing) }
    }

    // MARK: Latch

    @Test func aLatchOpensAtItsLastCount() async {
        let latch = Latch(count: 2)
        let isOpen = Flag()
        await withTaskGroup(of: Void.self) { tasks in
            for _ in 0..<8 {
                tasks.addTask {
                    await latch.wait()
                    #expect(isOpen.isSet)
                }
            }
            latch.countDown()
            isOpen.set()
            latch.countDown()
        }
        // A later caller doesn't wait.
        await latch.wait()
    }

    // MARK: Log throttle

    @Test func oneLineIsWrittenInAnInterval() {
        let throttle = LogThrottle(interval: 100)
        var lines: [(now: UInt64, leftOut: Int)] = []
        for now in stride(from: UInt64(1000), to: 1500, by: 10) {
            let isWritten = throttle.log(now: now) { lines.append((now, $0)) }
            #expect(isWritten == (now % 100 == 0))
        }
        #expect(lines.map(\.now) == [1000, 1100, 1200, 1300, 1400])
        #expect(lines.map(\.leftOut) == [0, 9, 9, 9, 9])
    }

    @Test func whatIsLeftOutIsCountedByItsWeight() {
        let throttle = LogThrottle(interval: 100)
        var leftOut: [Int] = []
        throttle.log(5, now: 0) { leftOut.append($0) }
        throttle.log(2, now: 1) { leftOut.append($0) }
        throttle.log(3, now: 99) { leftOut.append($0) }
        throttle.log(7, now: 100) { leftOut.append($0) }
        throttle.log(now: 200) { leftOut.append($0) }
        #expect(leftOut == [0, 5, 0])
    }
}
