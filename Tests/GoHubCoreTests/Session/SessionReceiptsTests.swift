import GoHubTestSupport
import Testing

@testable import GoHubCore

/// What a session passes on of how far its user has got, and of its user's rooms.
struct SessionReceiptsTests {
    @Test func receiptsGoToRoomOwnerWithoutReply() {
        var bench = SessionBench.inLobby()
        #expect(
            bench.say(#"{"op":"delivered","room":"lobby","offset":3}"#) == [
                .hub(.receipted(.alice, .lobby, Receipt(delivered: 3)))
            ])
        #expect(
            bench.say(#"{"op":"seen","room":"lobby","offset":3}"#) == [
                .hub(.receipted(.alice, .lobby, Receipt(seen: 3)))
            ])
        let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        #expect(
            bench.say(#"{"op":"seen","room":"dm:alice:bob","offset":1}"#) == [
                .hub(.receipted(.alice, direct, Receipt(seen: 1)))
            ])
        #expect(bench.session.commandsInFlight == 0)
    }

    @Test(arguments: ["other", "dm:bob:carol"])
    func receiptsForOtherRoomsAreDropped(_ room: String) {
        var bench = SessionBench.inLobby()
        #expect(bench.say(#"{"op":"seen","room":"\#(room)","offset":1}"#) == [])
        #expect(bench.say(#"{"op":"seen","room":"lobby","offset":0}"#) == [])
    }

    @Test func receiptsBeforeJoinAnswerAreDropped() {
        var bench = SessionBench.active()
        _ = bench.say(#"{"op":"join","id":"j","room":"lobby"}"#)
        #expect(bench.say(#"{"op":"seen","room":"lobby","offset":1}"#) == [])
    }

    @Test func receiptsAreChargedLikeCommands() {
        // Hello, join, and one more.
        let rates = RateLimiter.Rates(connection: .perSecond(1, burst: 3), user: nil, address: nil, room: nil)
        var bench = SessionBench.inLobby(context: SessionContext(limiter: RateLimiter(rates)))
        #expect(bench.say(#"{"op":"seen","room":"lobby","offset":1}"#).count == 1)
        guard case .send(.error(_, .rateLimited, _, _))? = bench.say(#"{"op":"seen","room":"lobby","offset":2}"#).first
        else {
            Issue.record("not limited")
            return
        }
    }

    @Test func roomsRequestUsesGrantsAndBounds() throws {
        let grants = Grants([Grants.Entry(match: try #require(RoomPattern("team-*")), can: .read)])
        var bench = SessionBench.active(grants: grants)
        var request = RoomsRequest(
            user: UserKey(tenant: .standard, user: .alice), grants: grants, roomsMax: 50, bytesMax: 128 * 1024)
        #expect(
            bench.say(#"{"op":"rooms","id":"r"}"#) == [.hub(.roomsRequested(.session(1), request))])
        request.after = .lobby
        for (limit, roomsMax) in [("0", 1), ("7", 7), ("18446744073709551615", 100)] {
            request.roomsMax = roomsMax
            #expect(
                bench.say(#"{"op":"rooms","id":"r","startAfter":"lobby","limit":\#(limit)}"#).first
                    == .hub(.roomsRequested(.session(1), request)))
        }
        let page = Event.rooms(id: .named("r"), RoomsPage())
        #expect(bench.told(.reply(page)).last == .send(page))
        for _ in 0..<3 { _ = bench.told(.reply(page)) }
        #expect(bench.session.commandsInFlight == 0)
        #expect(bench.session.pageCount == 0)
    }
}
