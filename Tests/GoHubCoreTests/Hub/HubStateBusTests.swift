import GoHubTestSupport
import Testing

@testable import GoHubCore

/// A shard's link to the bus, and its subscriptions.
struct HubStateBusTests {
    private let lobby = ClusterTopic.room(.lobby)

    private func join(_ serial: UInt64, _ user: UserID, _ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.actions { $0.joined(.make(.number(serial), user), now: .ms(time), into: &$1) }
    }

    private func connect(_ serial: UInt64, _ user: UserID, _ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.actions { $0.connected(.number(serial), .of(user), now: .ms(time), into: &$1) }
    }

    private func lose(_ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.actions { $0.busLost(now: .ms(time), into: &$1) }
    }

    private func restore(_ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.actions { $0.busRestored(at: .ms(Int64(time)), now: .ms(time), into: &$1) }
    }

    // MARK: Joins

    /// What is stored after the reading must be heard.
    @Test func firstJoinIsReadWhenTheRoomIsSubscribedTo() {
        var state = HubState.makeOnBus()
        #expect(join(1, .alice, &state, at: 1000) == [.bus(.subscribe([lobby]))])
        #expect(join(2, .bob, &state, at: 1000) == [])
        let actions = state.confirm([lobby], now: .ms(1001))
        #expect(actions.reads.map(\.room) == [.lobby, .lobby])
        #expect(actions.published == [Published(.presenceWanted)])
    }

    @Test func joinOfASubscribedRoomIsReadAtOnce() {
        var state = HubState.makeOnBus(.alice)
        let actions = join(2, .bob, &state, at: 1000)
        #expect(actions.reads.count == 1)
        #expect(actions.subscribed == [])
    }

    @Test func withoutLinkJoinIsReadAtOnce() {
        var state = HubState(node: .a)
        let actions = join(1, .alice, &state, at: 1000)
        #expect(actions.reads.count == 1)
        #expect(actions.subscribed == [])
    }

    /// Its users have topics.
    @Test func directConversationHasNoSubscription() {
        var state = HubState.makeOnBus()
        let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        let actions = state.actions { $0.joined(.make(.number(1), .alice, room: room), now: .ms(1000), into: &$1) }
        #expect(actions.reads.count == 1)
        #expect(actions.subscribed == [])
    }

    @Test func joinWithdrawnBeforeTheConfirmationIsNotRead() {
        var state = HubState.makeOnBus()
        _ = join(1, .alice, &state, at: 1000)
        let ended = state.actions { $0.sessionEnded(.number(1), .of(.alice), .lobby, now: .ms(1001), into: &$1) }
        #expect(ended == [.forward(.roomCleared(.number(1), .of(.alice)))])
        // Another request would be confirmed by the answer to the first one.
        #expect(state.confirm([lobby], now: .ms(1002)) == [.bus(.unsubscribe([lobby]))])
        #expect(join(2, .bob, &state, at: 1003) == [.bus(.subscribe([lobby]))])
    }

    @Test func roomThatIsWantedAgainBeforeTheConfirmationIsRequestedOnce() {
        var state = HubState.makeOnBus()
        _ = join(1, .alice, &state, at: 1000)
        _ = state.actions { $0.sessionEnded(.number(1), .of(.alice), .lobby, now: .ms(1001), into: &$1) }
        #expect(join(2, .bob, &state, at: 1002) == [])
        let actions = state.confirm([lobby], now: .ms(1003))
        #expect(actions.reads.count == 1)
        #expect(actions.unsubscribed == [])
    }

    // MARK: The end of interest

    @Test func forgottenRoomIsUnsubscribedFrom() {
        var state = HubState.makeOnBus(.alice, .bob)
        let first = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(first.unsubscribed == [])
        let last = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(last.unsubscribed == [lobby])
        #expect(state.rooms.isEmpty)
        #expect(state.bus.presence.isEmpty)
    }

    @Test func userWithoutSessionsIsUnsubscribedFrom() {
        var state = HubState.makeOnBus(.alice)
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        let actions = state.actions { $0.disconnected(.number(1), .of(.alice), rooms: 0, now: .ms(1000), into: &$1) }
        #expect(actions.unsubscribed == [.user(.alice)])
    }

    @Test func userWhoLeavesBeforeTheConfirmationIsUnsubscribedFromThen() {
        var state = HubState.makeOnBus()
        #expect(connect(1, .alice, &state, at: 1000) == [.bus(.subscribe([.user(.alice)]))])
        let ended = state.actions { $0.disconnected(.number(1), .of(.alice), rooms: 0, now: .ms(1001), into: &$1) }
        #expect(ended == [])
        #expect(state.confirm([.user(.alice)], now: .ms(1002)) == [.bus(.unsubscribe([.user(.alice)]))])
    }

    // MARK: The link

    @Test func lostLinkResumesJoinsAndWelcomes() {
        var state = HubState.makeOnBus()
        _ = connect(1, .alice, &state, at: 1000)
        _ = join(2, .bob, &state, at: 1000)
        let actions = lose(&state, at: 1001)
        #expect(actions.reads.map(\.room) == [.lobby])
        #expect(actions.contains(.send(1, .welcome)))
        // Late answers of the lost link.
        #expect(state.confirm([lobby, .user(.alice)], now: .ms(1002)) == [])
    }

    @Test func restoredLinkSubscribesAgain() {
        var state = HubState.makeOnBus(.alice, .bob)
        _ = lose(&state, at: 2000)
        let actions = restore(&state, at: 2050)
        #expect(actions.subscribed.count == 3)
        #expect(Set(actions.subscribed) == [lobby, .user(.alice), .user(.bob)])
    }

    @Test func manyTopicsAreRequestedInParts() {
        var state = HubState(node: .a)
        for number in 1...600 as ClosedRange<UInt64> { _ = connect(number, .named("user\(number)"), &state, at: 0) }
        let requests = restore(&state, at: 1000).compactMap {
            if case .bus(.subscribe(let topics)) = $0 { topics.count } else { nil }
        }
        #expect(requests == [512, 88])
    }

    @Test func storeIsPolledUntilEverythingIsHeardAndThenComparedOnce() {
        var state = HubState.makeOnBus(.alice, .bob)
        func compare(at time: UInt64) -> Bool {
            let isCompared = state.timerFires(at: .ms(time)).comparesRooms
            if isCompared { _ = state.actions { $0.headsRead(.success([]), now: .ms(time), into: &$1) } }
            return isCompared
        }
        #expect(!compare(at: 1999))
        _ = lose(&state, at: 2000)
        #expect(compare(at: 2000))
        #expect(!compare(at: 2139))
        #expect(compare(at: 2140))
        _ = restore(&state, at: 2150)
        _ = state.confirm([.user(.alice), .user(.bob)], now: .ms(2160))
        #expect(state.mustPoll)
        #expect(compare(at: 2280))
        _ = state.confirm([lobby], now: .ms(2300))
        #expect(!state.mustPoll)
        #expect(compare(at: 2300))
        #expect(!compare(at: 32_299))
        #expect(compare(at: 32_300))
    }

    @Test func linkWithoutTopicsIsCompleteAtOnce() {
        var state = HubState(node: .a)
        _ = state.actions { $0.clusterChanged(.onBus, now: .ms(0), into: &$1) }
        #expect(state.mustPoll)
        _ = restore(&state, at: 1000)
        #expect(!state.mustPoll)
    }

    /// The bus of this node works, and another node's doesn't.
    @Test func storeIsPolledWhileTheClusterHasNoBus() {
        var state = HubState.makeOnBus(.alice)
        #expect(!state.mustPoll)
        var view = ClusterView.onBus
        view.hasBus = false
        _ = state.actions { $0.clusterChanged(view, now: .ms(2000), into: &$1) }
        #expect(state.mustPoll)
        #expect(state.timerFires(at: .ms(2000)).comparesRooms)
    }
}
