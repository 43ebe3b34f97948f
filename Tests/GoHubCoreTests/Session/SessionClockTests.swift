import GoHubTestSupport
import Testing

@testable import GoHubCore

/// The wall clock may jump when the machine's time is set. It decides only when a token ends, and is read once for
/// that. All timers use the monotonic clock, which doesn't jump.
@Suite struct SessionClockTests {
    private static let day: Int64 = 86_400_000

    /// Runs an input with the clocks apart.
    private func type(
        _ text: String, in session: inout SessionStateMachine, now: MonotonicTime, at wall: WallTime
    ) -> [SessionAction] {
        session.actions {
            $0.received(.send(.init(id: .named("s"), target: .room(.lobby), text: text)), now: now, at: wall, into: &$1)
        }
    }

    @Test(arguments: [-365 * Self.day, -Self.day, Self.day, 365 * Self.day])
    func wallClockJumpEndsNoSession(jump: Int64) {
        var fixture = SessionFixture.inLobby()
        let later = MonotonicTime.ms(1_000)
        #expect(
            type("after the jump", in: &fixture.session, now: later, at: .ms(jump))
                == [.published("after the jump", at: .ms(jump))])
        // Neither the heartbeat nor the grace period moves.
        let heartbeat = later + Limits().heartbeat
        #expect(fixture.session.nextDeadline == heartbeat)
        #expect(fixture.timer(at: heartbeat) == [.send(.ping)])
    }

    @Test(arguments: [-Self.day, 0, Self.day])
    func tokenExpiryUsesMonotonicTime(jump: Int64) {
        var fixture = SessionFixture.active(expiresAt: .ms(20_000))
        _ = type("x", in: &fixture.session, now: .ms(1_000), at: .ms(jump))
        #expect(fixture.session.nextDeadline == .ms(20_000))
        #expect(fixture.timer(at: .ms(19_999)) == [])
        #expect(fixture.timer(at: .ms(20_000)).contains(.close(.tokenExpired)))
    }

    /// A token that arrives after the jump is judged by the machine's time then.
    @Test func refreshAfterClockJumpUsesNewTime() {
        var fixture = SessionFixture.active(expiresAt: .ms(20_000))
        let refresh = Array(#"{"op":"refresh","id":"r","token":"new"}"#.utf8)
        _ = refresh.withUnsafeBytes { bytes in
            fixture.session.actions { $0.received(bytes, now: .ms(1_000), at: .ms(Self.day), into: &$1) }
        }
        let new = Credentials(user: .alice, grants: .participant, expiresAt: .ms(Self.day + 60_000))
        _ = fixture.session.actions {
            $0.answered(.verified(.success(new)), now: .ms(1_000), at: .ms(Self.day), into: &$1)
        }
        _ = type("x", in: &fixture.session, now: .ms(50_000), at: .ms(Self.day))
        #expect(fixture.session.nextDeadline == .ms(61_000))
    }
}
