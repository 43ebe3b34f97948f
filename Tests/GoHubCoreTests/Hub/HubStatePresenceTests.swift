import GoHubTestSupport
import Testing

@testable import GoHubCore

struct HubStatePresenceTests {
    @Test func joinsAreAnnouncedTogetherAfterDelay() {
        var state = HubState.makeWithMembers(.alice)
        state.join(.make(.number(2), .bob), now: .ms(1000))
        state.join(.make(.number(3), .carol), now: .ms(1200))
        #expect(state.timerFiredForPresence(now: .ms(1499)) == [.scheduleTimer(.ms(1500))])
        #expect(
            state.timerFiredForPresence(now: .ms(1700)) == [.deliver(.presence(joined: [.bob, .carol], count: 3))])
        #expect(state.timerFiredForPresence(now: .ms(9000)) == [])
    }

    @Test func laterChangesWaitForTheirOwnDelay() {
        var state = HubState.makeWithMembers(.alice)
        state.join(.make(.number(2), .bob), now: .ms(1000))
        state.join(.make(.number(3), .carol), now: .ms(1200))
        #expect(
            state.timerFiredForPresence(now: .ms(1500)) == [
                .scheduleTimer(.ms(1700)), .deliver(.presence(joined: [.bob], count: 3)), .scheduleTimer(.ms(1700)),
            ])
        #expect(state.timerFiredForPresence(now: .ms(1700)) == [.deliver(.presence(joined: [.carol], count: 3))])
    }

    @Test func departureIsAnnounced() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(state.timerFiredForPresence(now: .ms(1500)) == [.deliver(.presence(left: [.bob], count: 1))])
    }

    @Test func reconnectWithinDelayIsSilent() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = state.actions { $0.sessionEnded(.number(2), .of(.bob), .lobby, now: .ms(1000), into: &$1) }
        state.join(.make(.number(3), .bob), now: .ms(1400))
        #expect(state.timerFiredForPresence(now: .ms(2000)) == [])
    }

    @Test func visitWithinDelayIsSilent() {
        var state = HubState.makeWithMembers(.alice)
        state.join(.make(.number(2), .bob), now: .ms(1000))
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1100), into: &$1) }
        #expect(state.timerFiredForPresence(now: .ms(2000)) == [])
    }

    @Test func userIsPresentWhileAnyDeviceIs() {
        var state = HubState.makeWithMembers(.alice, .bob, .bob)
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(state.timerFiredForPresence(now: .ms(2000)) == [])
        _ = state.actions { $0.left(.number(3), .lobby, id: .named("l"), now: .ms(2000), into: &$1) }
        #expect(state.timerFiredForPresence(now: .ms(2500)) == [.deliver(.presence(left: [.bob], count: 1))])
    }

    /// Carol's member list was made while Bob was away, so she needs the event for his return.
    @Test func reconnectIsAnnouncedIfGapWasListed() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        state.join(.make(.number(3), .carol), now: .ms(1100))
        state.join(.make(.number(2), .bob), now: .ms(1200))
        #expect(
            state.timerFiredForPresence(now: .ms(1700)) == [.deliver(.presence(joined: [.bob, .carol], count: 3))])
    }

    /// The event about Carol counts Bob as absent, so Alice needs the event for his return.
    @Test func reconnectIsAnnouncedIfGapWasCounted() {
        var state = HubState.makeWithMembers(.alice, .bob)
        state.join(.make(.number(3), .carol), now: .ms(1000))
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1200), into: &$1) }
        #expect(
            state.timerFiredForPresence(now: .ms(1500)) == [
                .scheduleTimer(.ms(1700)), .deliver(.presence(joined: [.carol], count: 2)), .scheduleTimer(.ms(1700)),
            ])
        state.join(.make(.number(2), .bob), now: .ms(1600))
        #expect(state.timerFiredForPresence(now: .ms(1700)) == [.deliver(.presence(joined: [.bob], count: 3))])
    }

    /// Alice's member list was made while Bob was in, so she needs the event for his leaving.
    @Test func visitIsAnnouncedIfListed() {
        var state = HubState.makeWithMembers(.alice)
        state.join(.make(.number(2), .bob), now: .ms(1000))
        _ = state.actions { $0.membersRequested(.session(1), .lobby, into: &$1) }
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1100), into: &$1) }
        #expect(state.timerFiredForPresence(now: .ms(1500)) == [.deliver(.presence(left: [.bob], count: 1))])
    }

    @Test func crowdIsAnnouncedInPartsAtBoundedRate() {
        var limits = Limits()
        limits.presenceNamesMax = 2
        var state = HubState.makeWithMembers(.alice, limits: limits)
        for number in 2...6 {
            state.join(.make(.number(UInt64(number)), .named("user-\(number)")), now: .ms(1000))
        }
        var told: [(UInt64, Int)] = []
        for time in stride(from: UInt64(1000), through: 4000, by: 100) {
            for case .deliver(.presence(let presence), _, _) in state.timerFiredForPresence(now: .ms(time)) {
                told.append((time, presence.joined.count))
            }
        }
        #expect(told.map(\.0) == [1500, 2000, 2500])
        #expect(told.map(\.1) == [2, 2, 1])
    }

    /// Short-lived rooms leave no timer behind that lives longer than its delay.
    @Test func timersDoNotPileUp() {
        var state = HubState()
        var scheduled = 0
        for round in 0..<1000 {
            let now = MonotonicTime.ms(UInt64(round) * 10)
            state.join(.make(.number(1), .alice), now: now)
            _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: now, into: &$1) }
            for case .scheduleTimer in state.timerFiredForPresence(now: now) { scheduled += 1 }
        }
        state.join(.make(.number(2), .bob), now: .ms(10_000))
        #expect(scheduled <= 1000)
        #expect(state.timerFiredForPresence(now: .ms(10_500)).count == 1, "only who is there is told of")
        #expect(state.timerFiredForPresence(now: .ms(1_000_000)) == [], "and no timer is left")
    }

    @Test func recreatedRoomKeepsItsDelay() {
        var state = HubState()
        state.join(.make(.number(1), .alice), now: .ms(0))
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(100), into: &$1) }
        state.join(.make(.number(2), .bob), now: .ms(400))
        #expect(state.timerFiredForPresence(now: .ms(500)) == [.scheduleTimer(.ms(900))])
        #expect(state.timerFiredForPresence(now: .ms(900)) == [.deliver(.presence(joined: [.bob], count: 1))])
    }

    @Test func timersOfSeveralRoomsFireInOrder() {
        var state = HubState()
        state.join(.make(.number(1), .alice, room: .named("a")), now: .ms(0))
        #expect(
            state.actions { $0.joined(.make(.number(2), .bob, room: .named("b")), now: .ms(100), into: &$1) }.count
                == 1, "it asks the store")
        state.join(.make(.number(2), .bob, room: .named("b")), now: .ms(100))
        let actions = state.timerFiredForPresence(now: .ms(1000))
        let rooms = actions.compactMap { action -> RoomName? in
            guard case .deliver(_, let room, _) = action else { return nil }
            return room.name
        }
        #expect(rooms == [.named("a"), .named("b")])
    }
}
