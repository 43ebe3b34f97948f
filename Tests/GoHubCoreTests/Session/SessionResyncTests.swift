import GoHubTestSupport
import Testing

@testable import GoHubCore

/// A room of the session has another history: the session is closed, together with many others, one after the other.
struct SessionResyncTests {
    private func resync(_ fixture: inout SessionFixture, after delay: Milliseconds) -> [SessionAction] {
        fixture.session.actions {
            $0.receivedFromHub(.resync(.lobby, closeAfter: delay), now: .ms(1000), at: .ms(0), into: &$1)
        }
    }

    @Test func sessionLeavesTheRoomAtOnceAndClosesInTime() {
        var fixture = SessionFixture.inLobby()
        let actions = resync(&fixture, after: 3000)
        #expect(actions == [.exit(.lobby)], "no event of the new history may follow one of the old")
        #expect(fixture.session.nextDeadline == .ms(4000))
        #expect(fixture.timer(at: .ms(3999)) == [])
        #expect(fixture.timer(at: .ms(4000)).contains(.close(.resyncNeeded)))
    }

    @Test func earliestOfSeveralRoomsCounts() {
        var fixture = SessionFixture.inLobby()
        _ = resync(&fixture, after: 3000)
        _ = resync(&fixture, after: 500)
        _ = resync(&fixture, after: 9000)
        #expect(fixture.session.nextDeadline == .ms(1500))
    }

    @Test func nextCommandClosesAtOnce() {
        var fixture = SessionFixture.inLobby()
        _ = resync(&fixture, after: 3000)
        let send = Command.send(.init(id: .named("s"), target: .room(.lobby), text: "hello"))
        let actions = fixture.session.actions { $0.received(send, now: .ms(1100), at: .ms(0), into: &$1) }
        #expect(actions.last == .close(.resyncNeeded))
        #expect(!actions.contains { if case .send = $0 { true } else { false } }, "a refusal would be final")
    }
}
