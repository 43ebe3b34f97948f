import GoHubTestSupport
import Testing

@testable import GoHubCore

struct HubStateModerationTests {
    private func sanction(
        _ state: inout HubState, _ kind: Sanction.Kind, _ user: UserID = .bob, now: MonotonicTime = .ms(1000)
    ) -> [HubAction] {
        state.sanctioned(.session(1), .lobby, Sanction(kind, user: user, by: Member(user: .alice)), now: now)
    }

    private func told(_ text: String) -> [HubAction] {
        [
            .tell(1, .reply(.notice(id: .named("r"), room: .lobby, text: text))),
            .deliver(.notice(id: nil, room: .lobby, text: text)),
        ]
    }

    private func refused(_ code: ErrorCode, _ message: String, wait: Milliseconds? = nil, id: String = "r")
        -> HubMessage
    {
        .reply(.error(id: .named(id), code: code, message: message, retryAfter: wait))
    }

    @Test func aKickPutsAllDevicesOut() {
        var state = HubState.makeWithMembers(.alice, .bob, .bob)
        let text = "bob was kicked by alice"
        let left = HubMessage.left(.lobby, .left(id: nil, room: .lobby, reason: text))
        #expect(
            sanction(&state, .kick) == [
                told(text)[0], .tell(2, left), .tell(3, left), .scheduleTimer(.ms(1500)), told(text)[1],
            ])
        #expect(!state.isMember(2) && !state.isMember(3))
        state.join(.make(.number(2), .bob), now: .ms(1000))
        #expect(state.isMember(2), "and they may come back")
    }

    @Test func onlyWhoIsThereIsKicked() {
        var state = HubState.makeWithMembers(.alice)
        #expect(sanction(&state, .kick) == [.tell(1, refused(.notFound, "bob is not in this room"))])
    }

    @Test func aMuteLetsReadButNotWrite() {
        var state = HubState.makeWithMembers(.alice, .bob)
        #expect(sanction(&state, .mute(minutes: 2)) == told("bob was muted for 2 min by alice"))
        #expect(state.isMember(2))
        let muted = refused(.forbidden, "you are muted in this room", wait: 60_000, id: "m1")
        #expect(state.published(.make(id: "m1"), now: .ms(61_000)) == [.tell(2, muted)])
        #expect(state.published(.make(id: "m1", isEphemeral: true), now: .ms(61_000)) == [.tell(2, muted)])
        #expect(state.published(.make(id: "m1"), now: .ms(121_000)) == [.append(.make(id: "m1"))])
    }

    @Test func aMuteOutlivesTheMembership() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .mute(minutes: 1))
        for session in [UInt64(1), 2] {
            _ = state.left(.number(session), .lobby, id: .named("l"), now: .ms(1000))
        }
        state.join(.make(.number(3), .bob), now: .ms(1000))
        #expect(state.isMember(3))
        #expect(state.published(.make(id: "m1"), now: .ms(1000)).count == 1)
        #expect(state.published(.make(id: "m1"), now: .ms(1000)) != [.append(.make(id: "m1"))])
    }

    @Test func aBanKeepsOutUntilItsEnd() {
        var state = HubState.makeWithMembers(.alice, .bob)
        let text = "bob was banned for 1 min by alice"
        #expect(
            sanction(&state, .ban(minutes: 1)) == [
                told(text)[0], .tell(2, .left(.lobby, .left(id: nil, room: .lobby, reason: text))),
                .scheduleTimer(.ms(1500)), told(text)[1],
            ])
        let request = JoinRequest.make(.number(2), .bob)
        #expect(
            state.joined(request, now: .ms(60_999)) == [
                .tell(
                    2,
                    .joinRefused(
                        .lobby, .error(id: .named("j"), code: .forbidden, message: "you are banned from this room")))
            ])
        #expect(
            state.joined(request, now: .ms(61_000)).first
                == .tell(2, .joined(Event.joined(head: 0, members: .alice, .bob))))
    }

    @Test func aMuteDoesNotLiftABan() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .ban(minutes: 5))
        _ = sanction(&state, .mute(minutes: 1))
        state.join(.make(.number(2), .bob), now: .ms(2000))
        #expect(!state.isMember(2))
    }

    @Test func whoIsMutedTypesUnseen() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .mute(minutes: 1), now: .ms(0))
        #expect(state.typed(Member(user: .bob), .lobby, active: true, now: .ms(59_999)) == [])
        #expect(state.typed(Member(user: .bob), .lobby, active: true, now: .ms(60_000)) != [])
    }

    @Test func aPardonEndsBoth() {
        var state = HubState.makeWithMembers(.alice, .bob)
        #expect(
            sanction(&state, .pardon) == [.tell(1, refused(.notFound, "bob is neither muted nor banned here"))])
        _ = sanction(&state, .mute(minutes: 1))
        #expect(sanction(&state, .pardon) == told("bob was pardoned by alice"))
        #expect(state.published(.make(id: "m1"), now: .ms(1000)) == [.append(.make(id: "m1"))])
    }

    @Test func theLongestIsBounded() {
        var limits = Limits()
        limits.sanctionMinutesMax = 5
        var state = HubState.makeWithMembers(.alice, .bob, limits: limits)
        _ = sanction(&state, .mute(minutes: .max), now: .ms(0))
        #expect(state.published(.make(id: "m1"), now: .ms(299_999)).count == 1)
        #expect(state.published(.make(id: "m1"), now: .ms(300_000)) == [.append(.make(id: "m1"))])
    }

    @Test func sanctionsOfARoomAreLimited() {
        var limits = Limits()
        limits.sanctionsPerRoomMax = 1
        var state = HubState.makeWithMembers(.alice, .bob, limits: limits)
        _ = sanction(&state, .mute(minutes: 1))
        let full = HubAction.tell(1, refused(.unavailable, "too many users are muted or banned here"))
        #expect(sanction(&state, .mute(minutes: 1), .carol) == [full])
        #expect(sanction(&state, .ban(minutes: 1), .carol) == [full])
        #expect(
            sanction(&state, .mute(minutes: 3)) == told("bob was muted for 3 min by alice"), "a known one may change")
        #expect(sanction(&state, .mute(minutes: 1), .carol, now: .ms(181_000)).count == 2, "one that is over makes way")
    }

    @Test func aRoomIsKeptForItsSanctionsOnly() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .ban(minutes: 1))
        _ = state.left(.number(1), .lobby, id: .named("l"), now: .ms(1000))
        #expect(state.rooms.count == 1)
        _ = sanction(&state, .pardon)
        #expect(state.rooms.isEmpty)
    }
}
