import GoHubTestSupport
import Testing

@testable import GoHubCore

struct AdmissionTests {
    private static let alice = UserKey(tenant: .standard, user: .alice)

    /// Buckets that admit one event a second, but for the given scope a burst of one only.
    private func admission(
        _ scope: Admission.Scope, _ change: (inout Limits) -> Void = { _ in }
    ) throws -> (Admission, RateLimiter) {
        let narrow = try #require(RateLimiter.Rate(1, per: 1000, burst: 1))
        let wide = try #require(RateLimiter.Rate(1, per: 1000, burst: 1000))
        let limiter = RateLimiter(
            RateLimiter.Rates(
                connection: scope == .connection ? narrow : wide, user: scope == .user ? narrow : wide,
                address: scope == .address ? narrow : wide, room: nil))
        var limits = Limits()
        change(&limits)
        var admission = Admission(limiter, limits, address: "192.0.2.1", now: .ms(0))
        admission.authenticated(Self.alice, by: limiter, now: .ms(0))
        return (admission, limiter)
    }

    @Test(arguments: [Admission.Scope.connection, .user, .address])
    func commandIsRefusedByItsScope(_ scope: Admission.Scope) throws {
        var (admission, _) = try admission(scope)
        #expect(admission.command(now: .ms(0)) == .passed)
        #expect(admission.command(now: .ms(400)) == .refused(scope, wait: 600))
        #expect(admission.command(now: .ms(1000)) == .passed)
    }

    @Test func userCountsOnceAuthenticated() throws {
        let rate = try #require(RateLimiter.Rate(1, per: 1000, burst: 1))
        let limiter = RateLimiter(RateLimiter.Rates(connection: nil, user: rate, address: nil, room: nil))
        var admission = Admission(limiter, Limits(), address: "192.0.2.1", now: .ms(0))
        #expect(admission.command(now: .ms(0)) == .passed)
        #expect(admission.command(now: .ms(0)) == .passed)
        admission.authenticated(Self.alice, by: limiter, now: .ms(0))
        #expect(admission.command(now: .ms(0)) == .passed)
        #expect(admission.command(now: .ms(0)) == .refused(.user, wait: 1000))
    }

    @Test func controlFramesAndPartsCountForTheConnectionOnly() throws {
        for scope in [Admission.Scope.user, .address] {
            var (admission, _) = try admission(scope)
            for _ in 0..<5 {
                #expect(admission.control(now: .ms(0)) == .passed)
                #expect(admission.chunk(now: .ms(0)) == .passed)
            }
        }
        var (admission, _) = try admission(.connection)
        #expect(admission.control(now: .ms(0)) == .passed)
        #expect(admission.chunk(now: .ms(0)) == .refused(.connection, wait: 1000))
        #expect(admission.control(now: .ms(0)) == .refused(.connection, wait: 1000))
    }

    @Test func exhaustedBudgetIsFlooding() throws {
        var (admission, _) = try admission(.connection) { $0.floodedPerMinuteMax = 2 }
        #expect(admission.command(now: .ms(0)) == .passed)
        #expect(admission.command(now: .ms(0)) == .refused(.connection, wait: 1000))
        #expect(admission.control(now: .ms(0)) == .refused(.connection, wait: 1000))
        #expect(admission.chunk(now: .ms(0)) == .flooding(.connection, wait: Admission.longWait))
    }

    @Test func refreshesHaveTheirOwnBudget() throws {
        var (admission, _) = try admission(.user) { $0.refreshesPerMinuteMax = 1 }
        #expect(admission.refresh(now: .ms(0)) == .passed)
        #expect(admission.refresh(now: .ms(0)) == .refused(.refresh, wait: Admission.longWait))
    }

    @Test func joinOfManyRoomsCostsSeveralCommands() throws {
        let rate = try #require(RateLimiter.Rate(1, per: 1000, burst: 4))
        let limiter = RateLimiter(RateLimiter.Rates(connection: rate, user: nil, address: nil, room: nil))
        var admission = Admission(limiter, Limits(), address: "192.0.2.1", now: .ms(0))
        #expect(admission.command(now: .ms(0)) == .passed)
        admission.charge(forJoins: 12, now: .ms(0))
        #expect(admission.command(now: .ms(0)) == .refused(.connection, wait: 1000))
    }
}
