import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Which `edit`, `delete` and `react` commands a session passes on.
struct SessionChangesTests {
    private let bounds = ChangeRequest.ReactionBounds(kindsMax: 20, perUserMax: 5, totalMax: 10_000)

    private func wanted(
        _ change: ChangeRequest, text: String = "", in room: RoomName = .lobby, at time: WallTime = .ms(0)
    ) -> SessionAction {
        let draft = MessageDraft(
            room: RoomID(tenant: .standard, name: room), id: .named("w"), from: Member(user: .alice),
            receivedAt: time, change, text: text)
        return .hub(.published(AppendRequest(requester: .session(1, id: "w"), draft: draft)))
    }

    private func grants(_ can: Permissions) -> Grants {
        Grants(Grants.participant.entries.map { Grants.Entry(match: $0.match, can: can) })
    }

    @Test func writerMayEditDeleteAndReact() {
        var fixture = SessionFixture.inLobby()
        #expect(
            fixture.say(#"{"op":"edit","id":"w","room":"lobby","offset":7,"text":"/me too"}"#)
                == [wanted(ChangeRequest(of: 7, .edit), text: "/me too")], "no slash command")
        #expect(
            fixture.say(#"{"op":"delete","id":"w","room":"lobby","offset":7}"#)
                == [wanted(ChangeRequest(of: 7, .delete(mayModerate: false)))])
        #expect(
            fixture.say(#"{"op":"react","id":"w","room":"lobby","offset":7,"reaction":"👍","remove":true}"#)
                == [wanted(ChangeRequest(of: 7, .react(.thumb, isRemoval: true, bounds)))])
        #expect(fixture.session.commandsInFlight == 3)
    }

    @Test func directConversationIsForItsTwoUsers() {
        var fixture = SessionFixture.active()
        #expect(
            fixture.say(#"{"op":"delete","id":"w","room":"dm:alice:bob","offset":7}"#)
                == [wanted(ChangeRequest(of: 7, .delete(mayModerate: false)), in: .direct(.alice, .bob))])
        #expect(
            fixture.say(#"{"op":"delete","id":"w","room":"dm:bob:carol","offset":7}"#)
                == [.error("w", .forbidden, "Your token does not grant access to this room.")])
    }

    @Test func moderatorMayDeleteOthersNeedWrite() {
        let changes = [
            #"{"op":"edit","id":"w","room":"lobby","offset":7,"text":"x"}"#,
            #"{"op":"delete","id":"w","room":"lobby","offset":7}"#,
            #"{"op":"react","id":"w","room":"lobby","offset":7,"reaction":"x"}"#,
        ]
        let refusal = SessionAction.error("w", .forbidden, "You may not write in this room.")
        var reader = SessionFixture.inLobby(grants: grants(.read))
        for change in changes { #expect(reader.say(change) == [refusal]) }
        var moderator = SessionFixture.inLobby(grants: grants([.read, .moderate]))
        #expect(moderator.say(changes[0]) == [refusal])
        #expect(moderator.say(changes[1]) == [wanted(ChangeRequest(of: 7, .delete(mayModerate: true)))])
        #expect(moderator.say(changes[2]) == [refusal])
    }

    @Test func nonMemberCannotChangeMessages() {
        var fixture = SessionFixture.active(grants: .moderator)
        #expect(
            fixture.say(#"{"op":"delete","id":"w","room":"lobby","offset":7}"#)
                == [.error("w", .conflict, "Join the room first.")])
        var stranger = SessionFixture.active(grants: Grants([]))
        #expect(
            stranger.say(#"{"op":"delete","id":"w","room":"lobby","offset":7}"#)
                == [.error("w", .forbidden, "Your token does not grant access to this room.")])
    }

    @Test func editedTextIsValidated() {
        var fixture = SessionFixture.inLobby()
        #expect(
            fixture.say(#"{"op":"edit","id":"w","room":"lobby","offset":7,"text":"a\u0000"}"#)
                == [.error("w", .badRequest, "The text must not contain U+0000.")])
        let text = String(repeating: "x", count: Limits().textBytesMax + 1)
        let command = Command.change(.init(id: .named("w"), room: .lobby, of: 7, .edit(text)))
        #expect(
            fixture.session.actions { $0.received(command, now: .ms(0), at: .ms(0), into: &$1) } == [
                .error("w", .tooLarge, "The text is too long.")
            ])
    }

    @Test func roomAboveItsRateRefusesChanges() {
        let rates = RateLimiter.Rates(connection: nil, user: nil, address: nil, room: .perSecond(1, burst: 1))
        var fixture = SessionFixture.inLobby(context: SessionContext(limiter: RateLimiter(rates)))
        #expect(fixture.type("one") == [.published("one")])
        let react = #"{"op":"react","id":"w","room":"lobby","offset":7,"reaction":"👍"}"#
        #expect(
            fixture.say(react) == [
                .error("w", .rateLimited, "The room's message rate is too high. Try again shortly.", wait: 1000)
            ])
        fixture.now = .ms(1000)
        #expect(
            fixture.say(react) == [
                wanted(ChangeRequest(of: 7, .react(.thumb, isRemoval: false, bounds)), at: .ms(1000))
            ])
    }
}
