import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Joins of many rooms in one command, and commands between a join and its answer.
struct SessionJoiningTests {
    private let join = #"{"op":"join","id":"j","room":"lobby"}"#
    private let leave = #"{"op":"leave","id":"l","room":"lobby"}"#
    private let joined = Event.joined(head: 5, members: .alice)
    private let asked = SessionAction.hub(.joined(.make(.number(1), .alice)))

    // MARK: After a join

    @Test func commandsBehindJoinWaitInOrder() {
        var fixture = SessionFixture.active()
        #expect(fixture.say(join) == [asked])
        #expect(fixture.type("one", id: "1") == [])
        #expect(fixture.say(#"{"op":"history","id":"h","room":"lobby"}"#) == [])
        #expect(fixture.say(#"{"op":"seen","room":"lobby","offset":5}"#) == [])
        #expect(fixture.say(#"{"op":"react","id":"r","room":"lobby","offset":5,"reaction":"+"}"#) == [])
        #expect(fixture.type("two", id: "2") == [])
        let actions = fixture.receivedFromHub(.joined(joined))
        #expect(actions.first == .enter(.lobby))
        #expect(actions.last == .send(.joined(joined)), "the answer is sent after all that is asked of the hub")
        let asked = actions.compactMap { if case .hub(let input) = $0 { input } else { nil } }
        #expect(asked.map(\.kind) == ["published 1", "history h", "receipt 5", "published r", "published 2"])
        #expect(fixture.session.joining.isEmpty)
        #expect(fixture.type("three") == [.published("three")])
    }

    @Test func commandsForOtherRoomsAreNotHeld() {
        var fixture = SessionFixture.inLobby()
        #expect(fixture.say(#"{"op":"join","id":"j","room":"other"}"#).count == 1)
        #expect(fixture.type("hi") == [.published("hi")])
        #expect(fixture.say(#"{"op":"send","id":"d","to":"bob","text":"hi"}"#).count == 1)
        #expect(fixture.say(#"{"op":"rooms","id":"r"}"#).count == 1)
    }

    /// A gap is filled by another join. The membership stays in the meantime.
    @Test func rejoiningMemberIsNotHeld() {
        var fixture = SessionFixture.inLobby()
        #expect(fixture.say(join) == [asked])
        #expect(fixture.type("hi") == [.published("hi")])
    }

    @Test func commandsBehindRefusedJoinAreRefused() {
        var fixture = SessionFixture.active()
        _ = fixture.say(join)
        _ = fixture.type("hi")
        _ = fixture.say(leave)
        let error = Event.error(id: .named("j"), code: .forbidden, message: "You are banned from this room.")
        #expect(
            fixture.receivedFromHub(.joinRefused(.lobby, error)) == [
                .send(error), .error("s", .conflict, "Join the room first."),
                .error("l", .notFound, "You are not in this room."),
            ])
        #expect(fixture.session.commandsInFlight == 0)
        #expect(fixture.session.joining.isEmpty)
    }

    @Test func joinsOfOneRoomAreAnsweredInOrder() {
        var fixture = SessionFixture.active()
        #expect(fixture.say(join) == [asked])
        #expect(fixture.say(#"{"op":"join","id":"k","room":"lobby"}"#) == [])
        #expect(fixture.say(leave) == [])
        let second = SessionAction.hub(.joined(.make(.number(1), .alice, id: "k")))
        // The leave came after the second join, and waits for it.
        #expect(fixture.receivedFromHub(.joined(joined)) == [.enter(.lobby), second, .send(.joined(joined))])
        #expect(
            fixture.receivedFromHub(.joined(joined)) == [
                .hub(.left(.number(1), .lobby, id: .named("l"))), .flush(.lobby), .send(.joined(joined)),
            ])
    }

    /// An answer that shows the room comes after what was delivered to the room before it.
    @Test func answerThatShowsTheRoomFollowsItsEvents() {
        var fixture = SessionFixture.inLobby()
        _ = fixture.say(join)
        #expect(fixture.receivedFromHub(.joined(joined)) == [.flush(.lobby), .send(.joined(joined))])
        let members = Event.members(id: .named("w"), room: .lobby, joined.members)
        #expect(fixture.receivedFromHub(.members(.lobby, members)) == [.flush(.lobby), .send(members)])
        #expect(
            fixture.receivedFromHub(.members(.named("other"), members)) == [.send(members)],
            "nothing of other rooms is for this session")
    }

    @Test func heldCommandsAreLimited() {
        var limits = Limits()
        limits.commandsInFlightMax = 3
        var fixture = SessionFixture.active(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        _ = fixture.say(join)
        #expect(fixture.type("1", id: "1") == [])
        #expect(fixture.type("2", id: "2") == [.pauseReading])
        // For a transport that kept reading.
        let refusal = "Too many commands wait for this join. Send the command again after the join's reply."
        #expect(fixture.type("3", id: "3") == [.error("3", .conflict, refusal)])
        #expect(fixture.say(#"{"op":"typing","room":"lobby","active":true}"#) == [])
        let actions = fixture.receivedFromHub(.joined(joined))
        #expect(actions.filter { if case .hub = $0 { true } else { false } }.count == 2)
        #expect(actions.contains(.resumeReading))
    }

    @Test func heldTextsAreLimited() {
        var limits = Limits()
        limits.queueWatermarkBytes = 10_000
        var fixture = SessionFixture.active(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        _ = fixture.say(join)
        #expect(fixture.type(String(repeating: "x", count: 8_000), id: "1") == [])
        #expect(fixture.type(String(repeating: "x", count: 8_000), id: "2") == [.pauseReading])
    }

    @Test func heldCommandsEndWithTheSession() {
        var fixture = SessionFixture.active()
        _ = fixture.say(join)
        _ = fixture.type("hi")
        _ = fixture.session.actions { $0.transportClosed(into: &$1) }
        #expect(fixture.receivedFromHub(.joined(joined)) == [])
        #expect(fixture.session.joining.isEmpty)
    }

    @Test func slashCommandsAreHeldLikeOthers() {
        var fixture = SessionFixture.inLobby()
        #expect(fixture.type("/join other", id: "1").count == 1)
        #expect(fixture.type("/leave other", id: "2") == [])
        let other = Event.joined(room: .named("other"), head: 0)
        #expect(
            fixture.receivedFromHub(.joined(other)) == [
                .enter(.named("other")), .hub(.left(.number(1), .named("other"), id: .named("2"))),
                .send(.joined(other)),
            ])
    }

    @Test func heldPagesPauseReading() {
        var fixture = SessionFixture.active()
        #expect(fixture.say(join) == [asked])
        let history = #"{"op":"history","id":"h","room":"lobby"}"#
        for _ in 0..<2 { #expect(fixture.say(history) == []) }
        #expect(fixture.say(history) == [.pauseReading], "with the join they are as many pages as may be under way")
    }

    @Test func joinUsesGrantsAtAnswerTime() throws {
        let grants = Grants([.init(match: try #require(Grants.Pattern("r*")), can: .read)])
        var fixture = SessionFixture.active(grants: grants)
        _ = fixture.say(#"{"op":"refresh","id":"R","token":"t"}"#)
        _ = fixture.say(joinMany((1...9).map { "r\($0)" }))
        _ = fixture.verified(.success(Credentials(user: .alice, grants: Grants([]))))
        for room in ["r1", "r9"] {
            let joined = Event.joined(id: room, room: .named(room), head: 1, 1...1)
            let actions = fixture.receivedFromHub(.joined(joined))
            #expect(actions.contains(.error(room, .forbidden, "Your token does not grant access to this room.")))
            #expect(!actions.contains(.send(.joined(joined))))
            #expect(actions.contains(.hub(.left(.number(1), .named(room), id: nil))))
        }
    }

    // MARK: Many rooms in one command

    private func joinMany(_ rooms: [String]) -> String {
        let entries = rooms.map { #"{"id":"\#($0)","room":"\#($0)"}"# }.joined(separator: ",")
        return #"{"op":"join","rooms":[\#(entries)]}"#
    }

    @Test func joinOfManyRoomsIsSentInParts() {
        var fixture = SessionFixture.active()
        let names = (1...9).map { "r\($0)" }
        var actions = fixture.say(joinMany(names))
        var joinedRooms: [RoomName] = []
        while let request = actions.lazy.compactMap(\.joinRequest).first {
            #expect(fixture.session.pageCount <= fixture.session.context.limits.pagesInFlightMax)
            actions.removeAll { $0.joinRequest == request }
            joinedRooms.append(request.room.name)
            actions += fixture.receivedFromHub(
                .joined(Event.joined(id: request.id.value, room: request.room.name, head: 0)))
        }
        #expect(joinedRooms.map(\.value) == names)
        #expect(fixture.session.rooms.count { $0.isJoined } == 9)
        #expect(fixture.session.joining.isEmpty)
        #expect(fixture.session.commandsInFlight == 0)
    }

    @Test func joinsPauseWhileClientIsBacklogged() {
        var fixture = SessionFixture.active()
        _ = fixture.say(joinMany((1...9).map { "r\($0)" }))
        _ = fixture.session.actions { $0.backlogChanged(true, into: &$1) }
        let answer = fixture.receivedFromHub(.joined(Event.joined(id: "r1", room: .named("r1"), head: 0)))
        #expect(answer.compactMap(\.joinRequest) == [])
        let next = fixture.session.actions { $0.backlogChanged(false, into: &$1) }.compactMap(\.joinRequest)
        #expect(next.map(\.room.name.value) == ["r5"])
    }

    @Test func roomsOfJoinAreRefusedIndividually() throws {
        var limits = Limits()
        limits.roomsPerSessionMax = 2
        let grants = Grants([.init(match: try #require(Grants.Pattern("r*")), can: .read)])
        var fixture = SessionFixture.active(
            context: SessionContext(limits: limits, limiter: SessionFixture.unlimited), grants: grants)
        let actions = fixture.say(joinMany(["x", "r1", "r2", "r3"]))
        #expect(actions.compactMap(\.joinRequest).map(\.id.value) == ["r1", "r2"])
        #expect(actions.contains(.error("x", .forbidden, "Your token does not grant access to this room.")))
        #expect(actions.contains(.error("r3", .tooLarge, "A session can be in at most 2 rooms. Leave one first.")))
    }

    /// Waiting joins are no memberships, and so use no room slot.
    @Test func directConversationsDoNotCountAsRooms() {
        var limits = Limits()
        limits.roomsPerSessionMax = 1
        var fixture = SessionFixture.inLobby(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        let actions = fixture.say(joinMany((1...3).map { "dm:alice:u\($0)" }))
        #expect(actions.compactMap(\.joinRequest).count == 3)
    }

    @Test func commandsBehindJoinOfManyRoomsWait() {
        var fixture = SessionFixture.active()
        _ = fixture.say(joinMany((1...9).map { "r\($0)" }))
        // The hub hasn't been asked for this room yet.
        #expect(fixture.say(#"{"op":"send","id":"s","room":"r9","text":"hi"}"#) == [])
    }

    /// Otherwise one command could cause the work of a hundred.
    @Test func joinOfManyRoomsIsChargedAsSeveralCommands() {
        let rates = RateLimiter.Rates(connection: .perSecond(1, burst: 33), user: nil, address: nil, room: nil)
        var fixture = SessionFixture.active(context: SessionContext(limiter: RateLimiter(rates)))
        // One for the `hello`, one for the command and 25 for its rooms leave six.
        _ = fixture.say(joinMany((1...100).map { "r\($0)" }))
        for _ in 0..<6 { #expect(fixture.say(#"{"op":"pong"}"#) == []) }
        #expect(
            fixture.say(#"{"op":"pong"}"#) == [.error(nil, .rateLimited, "Too many commands. Slow down.", wait: 1000)])
    }
}

extension SessionAction {
    fileprivate var joinRequest: JoinRequest? {
        if case .hub(.joined(let request)) = self { request } else { nil }
    }
}

extension HubInput {
    fileprivate var kind: String {
        switch self {
        case .published(let appendRequest): "published \(appendRequest.requester.id)"
        case .historyRequested(let requester, _, _, _): "history \(requester.id)"
        case .receipted(_, _, let receipt): "receipt \(receipt.seen)"
        default: "other"
        }
    }
}
