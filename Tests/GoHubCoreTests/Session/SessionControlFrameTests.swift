import GoHubTestSupport
import Testing

@testable import GoHubCore

struct SessionControlFrameTests {
    @Test func fewPingsCountAsActivity() {
        var fixture = SessionFixture.active()
        fixture.now = .ms(24_000)
        #expect(fixture.session.actions { $0.receivedControl(now: fixture.now, into: &$1) } == [])
        #expect(fixture.session.nextDeadline == .ms(49_000))
    }

    /// They count like commands: each one above the rate is a violation, and too many violations are flooding.
    @Test func pingFloodClosesLikeCommandFlood() throws {
        var limits = Limits()
        limits.floodedPerMinuteMax = 5
        let rate = try #require(RateLimiter.Rate(1, per: 60_000, burst: 3))
        let limiter = RateLimiter(RateLimiter.Rates(connection: rate, user: nil, address: nil, room: nil))
        var fixture = SessionFixture.active(context: SessionContext(limits: limits, limiter: limiter))
        // `hello` was the first of the burst of three.
        for _ in 0..<2 + limits.floodedPerMinuteMax {
            #expect(fixture.session.actions { $0.receivedControl(now: fixture.now, into: &$1) } == [])
        }
        let last = fixture.session.actions { $0.receivedControl(now: fixture.now, into: &$1) }
        #expect(last.last == .close(.flooding))
        // The client must learn when it may return, as after a flood of commands.
        #expect(last.first?.isFloodError == true)
        #expect(fixture.session.isClosed)
    }
}

extension SessionAction {
    /// Whether it is the last event before a close with 4004.
    fileprivate var isFloodError: Bool {
        guard case .send(.error(nil, .rateLimited, "flooding", let wait)) = self else { return false }
        return (wait ?? 0) >= Admission.longWait
    }
}
