import GoHubTestSupport
import Testing

@testable import GoHubCore

struct SessionControlFrameTests {
    @Test func fewPingsCountAsActivity() {
        var bench = SessionBench.active()
        bench.now = .ms(24_000)
        #expect(bench.session.actions { $0.receivedControl(now: bench.now, into: &$1) } == [])
        #expect(bench.session.nextDeadline == .ms(49_000))
    }

    /// They are charged like commands: above the rate each is an offence, and too many of them are flooding.
    @Test func pingFloodClosesLikeCommandFlood() throws {
        var limits = Limits()
        limits.floodedPerMinuteMax = 5
        let rate = try #require(Rate(1, per: 60_000, burst: 3))
        let limiter = RateLimiter(RateLimiter.Rates(connection: rate, user: nil, address: nil, room: nil))
        var bench = SessionBench.active(context: SessionContext(limits: limits, limiter: limiter))
        // `hello` was the first of the burst of three.
        for _ in 0..<2 + limits.floodedPerMinuteMax {
            #expect(bench.session.actions { $0.receivedControl(now: bench.now, into: &$1) } == [])
        }
        #expect(bench.session.actions { $0.receivedControl(now: bench.now, into: &$1) }.last == .close(.flooding))
        #expect(bench.session.isClosed)
    }
}
