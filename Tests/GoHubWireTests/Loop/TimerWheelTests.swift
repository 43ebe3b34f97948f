import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

@Suite struct TimerWheelTests {
    @Test func timersFireWithinOneTick() {
        var numbers = SeededRandom(seed: 7)
        var wheel = TimerWheel<Int>(now: .ms(0))
        var deadlines: [Int: UInt64] = [:]
        for key in 0..<2_000 {
            // Up to several turns of the wheel ahead, and some in the past.
            let deadline = UInt64.random(in: 0...120_000, using: &numbers)
            deadlines[key] = deadline
            wheel.schedule(key, at: .ms(deadline))
        }
        var now: UInt64 = 0
        while !wheel.isEmpty {
            let last = now
            now += UInt64.random(in: 1...40, using: &numbers)
            for key in wheel.advance(to: .ms(now)) {
                guard let deadline = deadlines.removeValue(forKey: key) else {
                    Issue.record("\(key) fired twice")
                    continue
                }
                #expect(deadline <= now)
                #expect(last < deadline + TimerWheel<Int>.tick.value * 2, "\(key) is late")
            }
        }
        #expect(deadlines.isEmpty)
    }

    @Test func pastDeadlineFiresOnNextTick() {
        var wheel = TimerWheel<String>(now: .ms(1_000))
        wheel.schedule("late", at: .ms(10))
        #expect(wheel.advance(to: .ms(1_000)).isEmpty)
        #expect(wheel.advance(to: .ms(1_050)) == ["late"])
        #expect(wheel.isEmpty)
    }

    @Test func longPauseFiresOnlyDueTimers() {
        var wheel = TimerWheel<Int>(now: .ms(0))
        for second in 1...100 { wheel.schedule(second, at: .ms(UInt64(second) * 1_000)) }
        #expect(Set(wheel.advance(to: .ms(50_500))) == Set(1...50))
        #expect(Set(wheel.advance(to: .ms(1_000_000))) == Set(51...100))
        #expect(wheel.isEmpty)
    }

    @Test func deadlineAtClockEndIsKept() {
        var wheel = TimerWheel<Int>(now: .ms(0))
        wheel.schedule(1, at: MonotonicTime(nanoseconds: .max))
        #expect(wheel.advance(to: .ms(10_000_000)).isEmpty)
        #expect(!wheel.isEmpty)
    }

    @Test func longEmptyWheelContinues() {
        var wheel = TimerWheel<Int>(now: .ms(0))
        #expect(wheel.advance(to: .ms(5_000_000)).isEmpty)
        wheel.schedule(1, at: .ms(5_000_100))
        #expect(wheel.advance(to: .ms(5_000_099)).isEmpty)
        #expect(wheel.advance(to: .ms(5_000_150)) == [1])
    }
}
