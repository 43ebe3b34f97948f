import GoHubTestSupport
import Testing

@testable import GoHubCore

struct HubStateDrainTests {
    private func makeState(sessions: Int) -> HubState {
        var state = HubState()
        for number in 1...max(1, sessions) where sessions > 0 {
            _ = state.actions {
                $0.connected(.number(UInt64(number)), .of(.named("user-\(number)")), now: .ms(0), into: &$1)
            }
        }
        return state
    }

    private func end(_ session: UInt64, _ state: inout HubState) -> [HubAction] {
        state.actions {
            $0.disconnected(.number(session), .of(.named("user-\(session)")), rooms: 0, now: .ms(0), into: &$1)
        }
    }

    @Test func emptyShardDrainsImmediately() {
        var state = HubState()
        let plan = DrainPlan(closeOver: 1000, reconnectOver: 1000)
        #expect(state.actions { $0.drainStarted(plan, now: .ms(0), into: &$1) } == [.drained])
        #expect(state.actions { $0.drainStarted(plan, now: .ms(0), into: &$1) } == [])
    }

    @Test func sessionsGetAWindowAndCloseInBatches() {
        var state = makeState(sessions: 4)
        #expect(
            state.actions { $0.drainStarted(DrainPlan(closeOver: 200, reconnectOver: 4000), now: .ms(0), into: &$1) }
                == [
                    .send(1, .event(.drain(reconnectAfter: 0...1000))),
                    .send(2, .event(.drain(reconnectAfter: 1000...2000))),
                    .send(3, .event(.drain(reconnectAfter: 2000...3000))),
                    .send(4, .event(.drain(reconnectAfter: 3000...4000))),
                    .scheduleTimer(.ms(100)),
                ])
        #expect(state.actions { $0.timerFired(now: .ms(99), into: &$1) } == [.scheduleTimer(.ms(100))])
        let first = state.actions { $0.timerFired(now: .ms(100), into: &$1) }
        #expect(first.prefix(2) == [.send(1, .close(.serviceRestart)), .send(2, .close(.serviceRestart))])
        #expect(first.last == .scheduleTimer(.ms(200)))
        #expect(
            state.actions { $0.timerFired(now: .ms(200), into: &$1) } == [
                .send(3, .close(.serviceRestart)), .send(4, .close(.serviceRestart)),
            ])
        for session in 1...3 { #expect(end(UInt64(session), &state) == []) }
        #expect(end(4, &state) == [.drained])
    }

    @Test func reconnectWindowHasAMinimum() {
        var state = makeState(sessions: 1)
        #expect(
            state.actions { $0.drainStarted(DrainPlan(closeOver: 0, reconnectOver: 0), now: .ms(0), into: &$1) }.first
                == .send(1, .event(.drain(reconnectAfter: 0...500))))
        #expect(state.actions { $0.timerFired(now: .ms(100), into: &$1) } == [.send(1, .close(.serviceRestart))])
    }

    @Test func drainingHubRefusesSessionsAndJoins() {
        var state = makeState(sessions: 1)
        _ = state.actions { $0.drainStarted(DrainPlan(closeOver: 1000, reconnectOver: 1000), now: .ms(0), into: &$1) }
        #expect(
            state.actions { $0.connected(.number(9), .of(.alice), now: .ms(1), into: &$1) } == [
                .send(9, .close(.serviceRestart))
            ])
        #expect(
            state.actions { $0.joined(.make(.number(1), .alice), now: .ms(1), into: &$1) } == [
                .send(
                    1,
                    .joinRefused(
                        .lobby,
                        .error(
                            id: .named("j"), code: .unavailable, message: "The hub is restarting. Reconnect shortly.",
                            retryAfter: 1000)))
            ])
    }

    @Test func waitingSuccessorIsClosedByDrain() {
        var state = makeState(sessions: 1)
        _ = state.actions { $0.connected(.number(2), .of(.named("user-1")), now: .ms(0), into: &$1) }
        _ = state.actions { $0.drainStarted(DrainPlan(closeOver: 1000, reconnectOver: 1000), now: .ms(0), into: &$1) }
        #expect(end(1, &state) == [.send(2, .close(.serviceRestart)), .drained])
        #expect(
            state.actions { $0.disconnected(.number(2), .of(.named("user-1")), rooms: 0, now: .ms(0), into: &$1) } == []
        )
    }

    @Test func drainClosesEverySession() {
        for (count, over) in [(1, 100), (7, 300), (100, 1000), (5, 100_000)] as [(Int, UInt64)] {
            var state = makeState(sessions: count)
            _ = state.actions {
                $0.drainStarted(DrainPlan(closeOver: Milliseconds(over), reconnectOver: 1000), now: .ms(0), into: &$1)
            }
            var closed: [SessionID] = []
            var now: UInt64 = 0
            while now < max(over, 100) {
                now += 100
                for case .send(let session, .close(.serviceRestart)) in state.actions({
                    $0.timerFired(now: .ms(now), into: &$1)
                }) {
                    closed.append(session)
                }
            }
            #expect(closed == (1...UInt64(count)).map { .number($0) }, "\(count) over \(over) ms")
        }
    }
}
