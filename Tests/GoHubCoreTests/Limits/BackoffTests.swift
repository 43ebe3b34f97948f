import Testing

@testable import GoHubCore

struct BackoffTests {
    @Test func delaysGrowToABoundWithJitter() {
        let backoff = Backoff(min: 100, max: 1_000)
        #expect((0..<6).map { backoff.delay(attempt: $0, random: 0) } == [50, 100, 200, 400, 500, 500])
        for attempt in [0, 3, 1_000, .max, -1] {
            let delays = (0..<1_000).map { backoff.delay(attempt: attempt, random: $0 &* 0x9E37_79B9_7F4A_7C15) }
            #expect(delays.allSatisfy { $0 >= 50 && $0 <= 1_000 })
            #expect(Set(delays).count > 10)
        }
        #expect(Backoff(min: 0, max: 0).delay(attempt: 5, random: .max) == 0)
    }
}
