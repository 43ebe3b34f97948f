import GoHubTestSupport
import Testing

@testable import GoHubCore

struct SessionCommandsTests {
    private let join = #"{"op":"join","id":"j","room":"lobby"}"#
    private let leave = #"{"op":"leave","id":"l","room":"lobby"}"#
    private let forbidden = SessionAction.error("1", .forbidden, "Your token does not grant access to this room.")
    private let left = Event.left(id: .named("l"), room: .lobby, reason: nil)

    // MARK: Rooms

    @Test func joiningAndLeaving() {
        var fixture = SessionFixture.active()
        #expect(
            fixture.say(#"{"op":"join","id":"j","room":"lobby","since":{"epoch":"e1","offset":4}}"#) == [
                .hub(.joined(.make(.number(1), .alice, since: 4)))
            ])
        let joined = Event.joined(head: 5, recovered: true, 5...5, members: .alice)
        #expect(fixture.receivedFromHub(.joined(joined)) == [.enter(.lobby), .send(.joined(joined))])
        #expect(fixture.say(leave) == [.hub(.left(.number(1), .lobby, id: .named("l")))])
        #expect(fixture.receivedFromHub(.left(.lobby, left)) == [.exit(.lobby), .send(left)])
        #expect(fixture.say(leave) == [.error("l", .notFound, "You are not in this room.")])
        #expect(fixture.session.commandsInFlight == 0)
    }

    @Test func refusedJoinLeavesNoState() {
        var fixture = SessionFixture.active()
        _ = fixture.say(join)
        let error = Event.error(id: .named("j"), code: .unavailable, message: "m")
        #expect(fixture.receivedFromHub(.joinRefused(.lobby, error)) == [.send(error)])
        #expect(fixture.session.rooms.isEmpty)
        #expect(fixture.say(join) == [.hub(.joined(.make(.number(1), .alice)))])
    }

    /// A client that rejoins without waiting for `left`.
    @Test func joinAfterLeaveIsAnswered() {
        var fixture = SessionFixture.inLobby()
        _ = fixture.say(leave)
        #expect(fixture.say(join) == [.hub(.joined(.make(.number(1), .alice)))])
        #expect(fixture.receivedFromHub(.left(.lobby, left)) == [.exit(.lobby), .send(left)])
        let joined = Event.joined(head: 0, members: .alice)
        #expect(fixture.receivedFromHub(.joined(joined)) == [.enter(.lobby), .send(.joined(joined))])
        #expect(fixture.session.commandsInFlight == 0)
        #expect(
            fixture.session.actions { $0.transportClosed(into: &$1) }.count == 3,
            "the room is known, and left at the end"
        )
    }

    @Test func kickDuringRejoin() {
        var fixture = SessionFixture.inLobby()
        _ = fixture.say(join)
        let kicked = Event.left(id: nil, room: .lobby, reason: "bob was kicked")
        #expect(fixture.receivedFromHub(.left(.lobby, kicked)) == [.exit(.lobby), .send(kicked)])
        let error = Event.error(id: .named("j"), code: .forbidden, message: "m")
        #expect(fixture.receivedFromHub(.joinRefused(.lobby, error)) == [.send(error)])
        #expect(fixture.session.rooms.isEmpty)
        #expect(fixture.session.commandsInFlight == 0)
    }

    @Test func kickIsNotCountedAsReply() {
        var fixture = SessionFixture.inLobby()
        _ = fixture.type("hi")
        let kicked = Event.left(id: nil, room: .lobby, reason: "why")
        #expect(fixture.receivedFromHub(.left(.lobby, kicked)) == [.exit(.lobby), .send(kicked)])
        #expect(fixture.session.commandsInFlight == 1, "the message still waits for its ack")
        #expect(fixture.type("hi") == [.error("s", .conflict, "Join the room first.")])
    }

    @Test func roomsAreLimited() {
        var limits = Limits()
        limits.roomsPerSessionMax = 1
        var fixture = SessionFixture.inLobby(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        #expect(
            fixture.say(#"{"op":"join","id":"1","room":"other"}"#) == [
                .error("1", .tooLarge, "A session can be in at most 1 rooms. Leave one first.")
            ])
        _ = fixture.receivedFromHub(.left(.lobby, left))
        #expect(fixture.say(#"{"op":"join","id":"1","room":"other"}"#).count == 1)
    }

    @Test func joinLimitIsClamped() {
        var fixture = SessionFixture.active()
        func limit(_ asked: Int?, in room: String) -> Int? {
            let actions = fixture.session.actions {
                $0.received(
                    .join(.init(id: .named("j"), room: .named(room), limit: asked)), now: .ms(0), at: .ms(0), into: &$1)
            }
            guard case .hub(.joined(let request))? = actions.first else { return nil }
            return request.limit
        }
        #expect(limit(nil, in: "room-0") == 0)
        #expect(limit(7, in: "room-1") == 7)
        #expect(limit(.max, in: "room-2") == 500)
        #expect(limit(-1, in: "room-3") == 0)
    }

    // MARK: What the token allows

    @Test(arguments: [
        #"{"op":"join","id":"1","room":"lobby"}"#, #"{"op":"send","id":"1","room":"lobby","text":"hi"}"#,
        #"{"op":"history","id":"1","room":"lobby"}"#, #"{"op":"who","id":"1","room":"lobby"}"#,
        #"{"op":"join","id":"1","room":"dm:bob:carol"}"#, #"{"op":"send","id":"1","room":"dm:bob:carol","text":"hi"}"#,
        #"{"op":"history","id":"1","room":"dm:bob:carol"}"#, #"{"op":"who","id":"1","room":"dm:bob:carol"}"#,
    ])
    func roomWithoutGrantIsRefused(_ command: String) {
        var fixture = SessionFixture.active(grants: Grants([]))
        #expect(fixture.say(command) == [forbidden])
    }

    @Test func typingWithoutPermissionIsIgnored() {
        var fixture = SessionFixture.active()
        #expect(fixture.say(#"{"op":"typing","room":"lobby","active":true}"#) == [])
        #expect(fixture.say(#"{"op":"typing","room":"dm:bob:carol","active":true}"#) == [])
        fixture = .inLobby()
        #expect(
            fixture.say(#"{"op":"typing","room":"lobby","active":true}"#) == [
                .hub(.typed(Member(user: .alice), .lobby, active: true))
            ])
        #expect(fixture.say(#"{"op":"typing","room":"dm:alice:bob","active":false}"#).count == 1)
    }

    @Test func readOnlyMemberCannotWrite() throws {
        let readers = Grants([.init(match: try #require(Grants.Pattern("*")), can: .read)])
        var fixture = SessionFixture.inLobby(grants: readers)
        #expect(fixture.type("hi") == [.error("s", .forbidden, "You may not write in this room.")])
        #expect(fixture.say(#"{"op":"typing","room":"lobby","active":true}"#) == [])
    }

    // MARK: Requests and messages

    @Test func askingForHistoryAndMembers() {
        var fixture = SessionFixture.inLobby()
        #expect(
            fixture.say(#"{"op":"history","id":"r","room":"lobby","before":9}"#) == [
                .hub(.historyRequested(.session(1), .lobby, .before(9), limit: 50))
            ])
        #expect(
            fixture.say(#"{"op":"who","id":"r","room":"dm:alice:bob"}"#) == [
                .hub(.membersRequested(.session(1), .named("dm:alice:bob")))
            ])
        #expect(fixture.receivedFromHub(.reply(.ping)) == [.send(.ping)])
        #expect(fixture.session.commandsInFlight == 1)
    }

    @Test(arguments: [#"{"op":"history","id":"1","room":"lobby"}"#, #"{"op":"who","id":"1","room":"lobby"}"#])
    func onlyMembersMayAsk(_ command: String) {
        var fixture = SessionFixture.active()
        let refusal = SessionAction.error("1", .conflict, "Join the room first.")
        #expect(fixture.say(command) == [refusal])
    }

    @Test func sending() {
        var fixture = SessionFixture.inLobby()
        #expect(
            fixture.say(#"{"op":"send","id":"s","room":"lobby","text":"hi","replyTo":3,"ephemeral":true}"#) == [
                .published("hi", replyTo: 3, isEphemeral: true)
            ])
        #expect(
            fixture.say(#"{"op":"send","id":"s","to":"bob","text":"hi"}"#) == [
                .published("hi", in: .direct(.alice, .bob))
            ])
        #expect(
            fixture.say(#"{"op":"send","id":"s","room":"dm:alice:bob","text":"hi"}"#) == [
                .published("hi", in: .direct(.alice, .bob))
            ])
        #expect(
            fixture.say(#"{"op":"send","id":"s","room":"other","text":"hi"}"#) == [
                .error("s", .conflict, "Join the room first.")
            ])
    }

    @Test func textWithNullIsRefused() {
        var fixture = SessionFixture.inLobby()
        #expect(
            fixture.say(#"{"op":"send","id":"s","room":"lobby","text":"a\u0000b"}"#) == [
                .error("s", .badRequest, "The text must not contain U+0000.")
            ])
    }

    @Test func roomAboveItsRateRefuses() {
        let rates = RateLimiter.Rates(connection: nil, user: nil, address: nil, room: .perSecond(1, burst: 1))
        var fixture = SessionFixture.inLobby(context: SessionContext(limiter: RateLimiter(rates)))
        #expect(fixture.type("one") == [.published("one")])
        #expect(
            fixture.type("two") == [
                .error("s", .rateLimited, "The room's message rate is too high. Try again shortly.", wait: 1000)
            ])
        fixture.now = .ms(1000)
        #expect(fixture.type("two") == [.published("two", at: .ms(1000))])
    }

    // MARK: Misbehaviour

    @Test func floodIsRefusedThenClosed() {
        var limits = Limits()
        limits.floodedPerMinuteMax = 2
        let rates = RateLimiter.Rates(connection: .perSecond(1, burst: 1), user: nil, address: nil, room: nil)
        var fixture = SessionFixture(
            context: SessionContext(limits: limits, limiter: RateLimiter(rates)),
            credentials: Credentials(user: .alice))
        _ = fixture.say(#"{"op":"hello","device":"phone"}"#)
        _ = fixture.receivedFromHub(.welcome)
        for _ in 0..<2 {
            #expect(
                fixture.say("not even JSON") == [.error(nil, .rateLimited, "Too many commands. Slow down.", wait: 1000)]
            )
        }
        #expect(
            fixture.say("x") == [
                .error(nil, .rateLimited, "flooding", wait: 10_000),
                .hub(.disconnected(.number(1), .of(.alice), rooms: 0)), .close(.flooding),
            ])
        #expect(fixture.say(#"{"op":"pong"}"#) == [])
    }

    @Test func waitingForRetryAfterPasses() {
        let rates = RateLimiter.Rates(connection: .perSecond(2, burst: 1), user: nil, address: nil, room: nil)
        var fixture = SessionFixture(context: SessionContext(limiter: RateLimiter(rates)))
        fixture.now = .ms(1)
        _ = fixture.say(#"{"op":"pong"}"#)
        #expect(
            fixture.say(#"{"op":"pong"}"#) == [.error(nil, .rateLimited, "Too many commands. Slow down.", wait: 500)])
        fixture.now = .ms(501)
        #expect(fixture.say(#"{"op":"pong"}"#) == [.error(nil, .unauthorized, "Wait for welcome first.")])
    }

    @Test func malformedCommandsAreAnsweredThenClosed() {
        var limits = Limits()
        limits.malformedPerMinuteMax = 2
        var fixture = SessionFixture.active(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        for _ in 0..<2 { #expect(fixture.say("[]") == [.error(nil, .badRequest, "The command is not a JSON object.")]) }
        #expect(
            fixture.say("[]") == [
                .hub(.disconnected(.number(1), .of(.alice), rooms: 0)), .close(.tooManyViolations),
            ])
    }

    @Test func commandsBeforeWelcomeCountAsMalformed() {
        var limits = Limits()
        limits.malformedPerMinuteMax = 1
        var fixture = SessionFixture(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        #expect(fixture.say(#"{"op":"pong"}"#).count == 1)
        #expect(fixture.say(#"{"op":"pong"}"#) == [.close(.tooManyViolations)])
    }

    @Test func binaryIsRefusedWithoutFiles() {
        var fixture = SessionFixture.active()
        #expect(fixture.sayBytes([0, 0, 0, 1]).last == .close(.unsupportedData))
        #expect(fixture.sayBytes([0, 0, 0, 1]) == [])
    }

    // MARK: Backpressure

    @Test func readingPausesAtTooManyUnansweredCommands() {
        var limits = Limits()
        limits.commandsInFlightMax = 4
        var fixture = SessionFixture.active(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        let who = #"{"op":"who","id":"w","room":"dm:alice:bob"}"#
        for _ in 0..<3 { #expect(fixture.say(who).count == 1) }
        #expect(fixture.say(who).last == .pauseReading)
        #expect(fixture.receivedFromHub(.reply(.ping)) == [.send(.ping)])
        #expect(fixture.receivedFromHub(.reply(.ping)) == [.resumeReading, .send(.ping)], "when half is answered")
    }

    /// A client that rejoins many rooms at the same time is answered a few at a time.
    @Test func readingPausesAtAFewUnansweredPages() {
        var fixture = SessionFixture.active()
        for number in 1...3 {
            #expect(fixture.say(#"{"op":"join","id":"j\#(number)","room":"r\#(number)"}"#).count == 1)
        }
        #expect(fixture.say(#"{"op":"history","id":"h","room":"dm:alice:bob"}"#).last == .pauseReading)
        let refused = { (id: String) in Event.error(id: .named(id), code: .unavailable, message: "busy") }
        #expect(fixture.receivedFromHub(.joinRefused(.named("r1"), refused("j1"))) == [.send(refused("j1"))])
        #expect(
            fixture.receivedFromHub(.reply(refused("h"))) == [.resumeReading, .send(refused("h"))],
            "whatever the answer is")
    }

    @Test func readingPausesWhileBacklogged() {
        var fixture = SessionFixture.active()
        #expect(fixture.session.actions { $0.backlogChanged(true, into: &$1) } == [.pauseReading])
        #expect(fixture.session.actions { $0.backlogChanged(true, into: &$1) } == [])
        #expect(fixture.session.actions { $0.backlogChanged(false, into: &$1) } == [.resumeReading])
        #expect(fixture.session.actions { $0.backlogChanged(false, into: &$1) } == [])
    }

    @Test func readingResumesWhenBothConditionsAllow() {
        var limits = Limits()
        limits.commandsInFlightMax = 1
        var fixture = SessionFixture.active(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        _ = fixture.say(#"{"op":"who","id":"w","room":"dm:alice:bob"}"#)
        #expect(fixture.session.actions { $0.backlogChanged(true, into: &$1) } == [])
        #expect(fixture.receivedFromHub(.reply(.ping)) == [.send(.ping)])
        #expect(fixture.session.actions { $0.backlogChanged(false, into: &$1) } == [.resumeReading])
    }

    @Test func overflowEndsTheSession() {
        var fixture = SessionFixture.active()
        #expect(
            fixture.session.actions { $0.overflowed(into: &$1) } == [
                .hub(.disconnected(.number(1), .of(.alice), rooms: 0)), .close(.slowConsumer),
            ])
        #expect(fixture.session.actions { $0.overflowed(into: &$1) } == [])
        #expect(fixture.session.actions { $0.backlogChanged(true, into: &$1) } == [])
    }

    // MARK: The end

    @Test func endLeavesRoomsThenNotifiesUsersOwner() {
        var fixture = SessionFixture.inLobby()
        _ = fixture.say(#"{"op":"join","id":"j","room":"other"}"#)
        #expect(
            fixture.session.actions { $0.transportClosed(into: &$1) } == [
                .exit(.lobby), .hub(.sessionEnded(.number(1), .of(.alice), .lobby)),
                .hub(.sessionEnded(.number(1), .of(.alice), .named("other"))),
                .hub(.disconnected(.number(1), .of(.alice), rooms: 2)),
            ])
        #expect(fixture.session.isClosed)
        #expect(fixture.session.actions { $0.transportClosed(into: &$1) } == [])
        #expect(fixture.say(join) == [])
        #expect(fixture.receivedFromHub(.event(.ping)) == [])
        #expect(fixture.type("hi") == [])
    }

    @Test func unregisteredSessionEndsSilently() {
        var fixture = SessionFixture(credentials: Credentials(user: .alice))
        #expect(fixture.session.actions { $0.transportClosed(into: &$1) } == [])
    }

    @Test func hubEventsAreSent() {
        var fixture = SessionFixture.active()
        #expect(fixture.receivedFromHub(.event(.ping)) == [.send(.ping)])
        #expect(fixture.receivedFromHub(.welcome) == [], "once")
        #expect(fixture.receivedFromHub(.close(.replaced)).last == .close(.replaced))
    }

    @Test func joiningDirectConversationKeepsNoRoom() {
        var fixture = SessionFixture.active()
        let room = RoomName.direct(.alice, .bob)
        _ = fixture.say(#"{"op":"join","id":"j","room":"dm:alice:bob"}"#)
        let joined = Event.joined(room: room, head: 0)
        #expect(fixture.receivedFromHub(.joined(joined)) == [.send(.joined(joined))])
        #expect(fixture.session.rooms.isEmpty)
    }
}
