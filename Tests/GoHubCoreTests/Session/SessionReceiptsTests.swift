import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Which receipts and room list requests a session passes on.
struct SessionReceiptsTests {
    @Test func receiptsGoToRoomOwnerWithoutReply() {
        var fixture = SessionFixture.inLobby()
        #expect(
            fixture.say(#"{"op":"delivered","room":"lobby","offset":3}"#) == [
                .hub(.receipted(.alice, .lobby, Receipt(delivered: 3)))
            ])
        #expect(
            fixture.say(#"{"op":"seen","room":"lobby","offset":3}"#) == [
                .hub(.receipted(.alice, .lobby, Receipt(seen: 3)))
            ])
        let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        #expect(
            fixture.say(#"{"op":"seen","room":"dm:alice:bob","offset":1}"#) == [
                .hub(.receipted(.alice, direct, Receipt(seen: 1)))
            ])
        #expect(fixture.session.commandsInFlight == 0)
    }

    @Test(arguments: ["other", "dm:bob:carol"])
    func receiptsForOtherRoomsAreDropped(_ room: String) {
        var fixture = SessionFixture.inLobby()
        #expect(fixture.say(#"{"op":"seen","room":"\#(room)","offset":1}"#) == [])
        #expect(fixture.say(#"{"op":"seen","room":"lobby","offset":0}"#) == [])
    }

    @Test func receiptsBeforeJoinAnswerAreDropped() {
        var fixture = SessionFixture.active()
        _ = fixture.say(#"{"op":"join","id":"j","room":"lobby"}"#)
        #expect(fixture.say(#"{"op":"seen","room":"lobby","offset":1}"#) == [])
    }

    @Test func receiptsAreChargedLikeCommands() {
        // Hello, join, and one more command.
        let rates = RateLimiter.Rates(connection: .perSecond(1, burst: 3), user: nil, address: nil, room: nil)
        var fixture = SessionFixture.inLobby(context: SessionContext(limiter: RateLimiter(rates)))
        #expect(fixture.say(#"{"op":"seen","room":"lobby","offset":1}"#).count == 1)
        guard
            case .send(.error(_, .rateLimited, _, _))? = fixture.say(#"{"op":"seen","room":"lobby","offset":2}"#).first
        else {
            Issue.record("not limited")
            return
        }
    }

    @Test func roomsRequestUsesGrantsAndBounds() throws {
        let grants = Grants([Grants.Entry(match: try #require(Grants.Pattern("team-*")), can: .read)])
        var fixture = SessionFixture.active(grants: grants)
        var request = RoomsRequest(
            user: UserKey(tenant: .standard, user: .alice), grants: grants, roomsMax: 50, bytesMax: 128 * 1024)
        #expect(
            fixture.say(#"{"op":"rooms","id":"r"}"#) == [.hub(.roomsRequested(.session(1), request))])
        request.after = .lobby
        for (limit, roomsMax) in [("0", 1), ("7", 7), ("18446744073709551615", 100)] {
            request.roomsMax = roomsMax
            #expect(
                fixture.say(#"{"op":"rooms","id":"r","startAfter":"lobby","limit":\#(limit)}"#).first
                    == .hub(.roomsRequested(.session(1), request)))
        }
        let page = Event.rooms(id: .named("r"), RoomsPage())
        #expect(fixture.receivedFromHub(.reply(page)).last == .send(page))
        for _ in 0..<3 { _ = fixture.receivedFromHub(.reply(page)) }
        #expect(fixture.session.commandsInFlight == 0)
        #expect(fixture.session.pageCount == 0)
    }
}
