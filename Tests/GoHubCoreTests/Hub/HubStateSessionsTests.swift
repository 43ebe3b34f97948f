import GoHubTestSupport
import Testing

@testable import GoHubCore

/// One session per key: the older session leaves every room before the newer one is welcomed, in any order of the
/// confirmations from its rooms' owners on other shards.
struct HubStateSessionsTests {
    private let key = SessionKey.of(.alice)
    private let other = SessionKey.of(.alice, .laptop)

    private func connected(_ state: inout HubState, _ session: UInt64, _ key: SessionKey) -> [HubAction] {
        state.actions { $0.connected(.number(session), key, now: .ms(0), into: &$1) }
    }

    @Test func sessionIsWelcomed() {
        var state = HubState()
        #expect(connected(&state, 1, key) == [.send(1, .welcome)])
        #expect(connected(&state, 2, other) == [.send(2, .welcome)])
        #expect(state.liveSessions(of: key.user) == [.number(1), .number(2)])
    }

    @Test func sessionEndsWhenRoomsAreCleared() {
        var state = HubState()
        _ = connected(&state, 1, key)
        #expect(state.actions { $0.disconnected(.number(1), key, rooms: 2, now: .ms(0), into: &$1) } == [])
        #expect(state.liveSessions(of: key.user) == [])
        #expect(state.actions { $0.roomCleared(.number(1), key, now: .ms(0), into: &$1) } == [])
        #expect(state.sessionCount == 1)
        #expect(state.actions { $0.roomCleared(.number(1), key, now: .ms(0), into: &$1) } == [])
        #expect(state.sessionCount == 0)
        #expect(state.users.isEmpty)
    }

    /// The confirmations of the rooms' owners and of the session itself arrive in any order.
    @Test(arguments: [
        [0, 1, 1], [1, 0, 1], [1, 1, 0],
    ])
    func successorIsWelcomedWhenOlderLeftEveryRoom(_ order: [Int]) {
        var state = HubState()
        _ = connected(&state, 1, key)
        #expect(connected(&state, 2, key) == [.send(1, .close(.replaced))])
        for (index, step) in order.enumerated() {
            let actions =
                step == 0
                ? state.actions { $0.disconnected(.number(1), key, rooms: 2, now: .ms(0), into: &$1) }
                : state.actions { $0.roomCleared(.number(1), key, now: .ms(0), into: &$1) }
            #expect(actions == (index == 2 ? [.send(2, .welcome)] : []))
        }
        #expect(state.liveSessions(of: key.user) == [.number(2)])
        #expect(state.sessionCount == 1)
    }

    /// The same if the newer session arrives while the older one is already ending, at every point of that.
    @Test(arguments: 0...3)
    func successorOfEndingSessionWaits(_ stepsBefore: Int) {
        var state = HubState()
        _ = connected(&state, 1, key)
        let end: [(inout HubState, inout [HubAction]) -> Void] = [
            { $0.roomCleared(.number(1), key, now: .ms(0), into: &$1) },
            { $0.disconnected(.number(1), key, rooms: 2, now: .ms(0), into: &$1) },
            { $0.roomCleared(.number(1), key, now: .ms(0), into: &$1) },
        ]
        for step in end.prefix(stepsBefore) { #expect(state.actions(step) == []) }
        let expected: [HubAction] = stepsBefore == 0 ? [.send(1, .close(.replaced))] : []
        if stepsBefore == 3 {
            #expect(connected(&state, 2, key) == [.send(2, .welcome)])
            return
        }
        #expect(connected(&state, 2, key) == expected)
        let rest = end.dropFirst(stepsBefore).flatMap { state.actions($0) }
        #expect(rest == [.send(2, .welcome)])
    }

    @Test func newestWaitingSuccessorIsWelcomed() {
        var state = HubState()
        _ = connected(&state, 1, key)
        _ = connected(&state, 2, key)
        #expect(connected(&state, 3, key) == [.send(2, .close(.replaced))])
        // The session that waited reports its end, with no effect.
        #expect(state.actions { $0.disconnected(.number(2), key, rooms: 0, now: .ms(0), into: &$1) } == [])
        #expect(
            state.actions { $0.disconnected(.number(1), key, rooms: 0, now: .ms(0), into: &$1) } == [.send(3, .welcome)]
        )
    }

    @Test func endedSuccessorIsForgotten() {
        var state = HubState()
        _ = connected(&state, 1, key)
        _ = connected(&state, 2, key)
        #expect(state.actions { $0.disconnected(.number(2), key, rooms: 0, now: .ms(0), into: &$1) } == [])
        #expect(state.actions { $0.disconnected(.number(1), key, rooms: 0, now: .ms(0), into: &$1) } == [])
        #expect(state.sessionCount == 0)
        #expect(state.users.isEmpty)
    }

    @Test func endOfUnknownSessionIsIgnored() {
        var state = HubState()
        _ = connected(&state, 1, key)
        #expect(state.actions { $0.disconnected(.number(9), key, rooms: 3, now: .ms(0), into: &$1) } == [])
        #expect(state.actions { $0.roomCleared(.number(9), key, now: .ms(0), into: &$1) } == [])
        #expect(state.actions { $0.disconnected(.number(9), other, rooms: 0, now: .ms(0), into: &$1) } == [])
        #expect(state.liveSessions(of: key.user) == [.number(1)])
    }

    @Test func tenantsAreSeparate() {
        var state = HubState()
        let elsewhere = SessionKey(user: UserKey(tenant: .named("other"), user: .alice), device: .phone)
        _ = connected(&state, 1, key)
        #expect(connected(&state, 2, elsewhere) == [.send(2, .welcome)])
    }

    @Test func devicesOfAUserAreLimited() {
        var limits = Limits()
        limits.sessionsPerUserMax = 1
        var state = HubState(limits: limits)
        _ = connected(&state, 1, key)
        #expect(connected(&state, 2, other) == [.send(2, .close(.connectionLimit))])
        #expect(connected(&state, 3, key) == [.send(1, .close(.replaced))], "a replacement takes no place")
    }

    @Test func sessionsOfAShardAreLimited() {
        var limits = Limits()
        limits.sessionsPerShardMax = 1
        var state = HubState(limits: limits)
        _ = connected(&state, 1, key)
        #expect(connected(&state, 2, .of(.bob)) == [.send(2, .close(.tryAgainLater))])
        _ = state.actions { $0.disconnected(.number(1), key, rooms: 0, now: .ms(0), into: &$1) }
        #expect(connected(&state, 3, .of(.bob)) == [.send(3, .welcome)])
    }

    @Test func inputsAreDispatchedToTheirMethods() {
        var state = HubState()
        #expect(
            state.actions { $0.receive(.connected(.number(1), key), now: .ms(0), into: &$1) } == [.send(1, .welcome)])
        #expect(
            state.actions { $0.receive(.userAddressed(key.user, .ping), now: .ms(0), into: &$1) } == [
                .send(1, .event(.ping))
            ])
        #expect(
            state.actions { $0.receive(.userRemoved(key.user, .removed), now: .ms(0), into: &$1) } == [
                .send(1, .close(.removed))
            ])
        #expect(state.actions { $0.receive(.roomCleared(.number(1), key), now: .ms(0), into: &$1) } == [])
        #expect(state.actions { $0.receive(.disconnected(.number(1), key, rooms: 1), now: .ms(0), into: &$1) } == [])
        #expect(state.sessionCount == 0)
    }

    @Test func inputsBelongToOwnerOfUserOrRoom() {
        let user = HubInput.Owner.user(key.user)
        for input: HubInput in [
            .connected(.number(1), key), .disconnected(.number(1), key, rooms: 0), .roomCleared(.number(1), key),
            .userAddressed(key.user, .ping), .userRemoved(key.user, .removed),
        ] {
            #expect(input.owner == user)
        }
        let sanction = Sanction(.kick, user: .bob, by: Member(user: .alice))
        for input: HubInput in [
            .joined(.make(.number(1), .alice)), .left(.number(1), .lobby, id: .named("l")),
            .sessionEnded(.number(1), key, .lobby), .published(.make(id: "m")),
            .typed(Member(user: .alice), .lobby, active: true),
            .historyRequested(.session(1), .lobby, .newest, limit: 1), .membersRequested(.session(1), .lobby),
            .sanctioned(.session(1), .lobby, sanction),
        ] {
            #expect(input.owner == .room(.lobby))
        }
        #expect(HubInput.drainStarted(DrainPlan(closeOver: 1, reconnectOver: 1)).owner == .everyShard)
    }
}
