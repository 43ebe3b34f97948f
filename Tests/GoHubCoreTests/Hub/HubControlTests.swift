import GoHubTestSupport
import Testing

@testable import GoHubCore

/// The operations of an embedding server.
struct HubControlTests {
    private let time = TestTime()
    private let bot = Member(user: .named("bot"), name: "The bot")

    private func makeHub(
        limits: Limits = Limits(), store: any MessageStore = InMemoryMessageStore(seed: 1),
        moderated: @escaping @Sendable (Sanction.Record) -> Void = { _ in }
    ) -> Hub {
        Hub(
            context: SessionContext(limits: limits, limiter: RateLimiter(.unlimited)), store: store,
            time: time.hubTime, moderated: moderated)
    }

    /// A client in the lobby.
    private func member(_ user: UserID, _ device: DeviceID? = nil, of hub: Hub) async throws -> HubClient {
        let client = try await hub.connect(Credentials(user: user), device: device)
        try await client.join(.lobby)
        return client
    }

    private func ack(_ event: Event) throws -> Event.Ack {
        guard case .ack(let ack) = event else { throw Unexpected(event: event) }
        return ack
    }

    private func page(_ event: Event) throws -> HistoryPage {
        guard case .page(_, _, let page) = event else { throw Unexpected(event: event) }
        return page
    }

    private struct Unexpected: Error {
        let event: Event
    }

    // MARK: Messages

    @Test func theServerPostsAMessageInSomebodysName() async throws {
        let hub = makeHub()
        let alice = try await member(.alice, of: hub)
        let ack = try ack(await hub.publish("The build is green.", to: .lobby, from: bot, id: .named("b1")))
        #expect(ack.position?.offset == 1)
        let message = try #require(await alice.nextMessage())
        #expect(message.text == "The build is green.")
        #expect(message.from == bot)
        let again = try self.ack(await hub.publish("The build is green.", to: .lobby, from: bot, id: .named("b1")))
        #expect(again.isDuplicate)
        #expect(again.position == ack.position)
    }

    @Test func aRoomWithoutMembersTakesMessagesToo() async throws {
        let hub = makeHub()
        _ = try ack(await hub.publish("before anybody came", to: .lobby, from: bot, id: .named("b1")))
        let joined = try await hub.connect(Credentials(user: .alice)).join(.lobby, limit: 5)
        #expect(joined.messages.map(\.text) == ["before anybody came"])
    }

    @Test(arguments: [("", ErrorCode.badRequest), ("a\0b", .badRequest), ("too long", .tooLarge)])
    func aTextThatNoClientCouldSendIsRefused(_ text: String, _ code: ErrorCode) async throws {
        var limits = Limits()
        limits.textBytesMax = 7
        let hub = makeHub(limits: limits)
        let id = CommandID.named("b1")
        let published = await hub.publish(text, to: .lobby, from: bot, id: id)
        let edited = await hub.edit(1, in: .lobby, to: text, by: bot, id: id)
        for event in [published, edited] {
            guard case .error(id, code, _, _) = event else { throw Unexpected(event: event) }
        }
    }

    @Test func anAuthorsMessageIsEditedAndNobodyElses() async throws {
        let hub = makeHub()
        let alice = try await member(.alice, of: hub)
        _ = try ack(await hub.publish("gren", to: .lobby, from: bot, id: .named("b1")))
        try await alice.send("mine", to: .lobby)
        #expect(try ack(await hub.edit(1, in: .lobby, to: "green", by: bot, id: .named("b2"))).position?.offset == 3)
        let refused = await hub.edit(2, in: .lobby, to: "yours", by: bot, id: .named("b3"))
        guard case .error(_, .forbidden, _, _) = refused else { throw Unexpected(event: refused) }
        let page = try page(await hub.history(of: .lobby, .newest, limit: 10, id: .named("h")))
        #expect(page.messages.prefix(2).map(\.text) == ["green", "mine"])
    }

    @Test func anybodysMessageIsDeleted() async throws {
        let hub = makeHub()
        let alice = try await member(.alice, of: hub)
        try await alice.send("spam", to: .lobby)
        _ = try ack(await hub.delete(1, in: .lobby, by: bot, id: .named("b1")))
        let page = try page(await hub.history(of: .lobby, .newest, limit: 10, id: .named("h")))
        #expect(page.messages.first?.text == "")
        #expect(page.messages.first?.amendments?.deleted?.offset == 2)
        let missing = await hub.delete(9, in: .lobby, by: bot, id: .named("b2"))
        guard case .error(_, .notFound, _, _) = missing else { throw Unexpected(event: missing) }
    }

    @Test func historyIsReadByTheServerWithoutBeingInTheRoom() async throws {
        let hub = makeHub()
        let alice = try await member(.alice, of: hub)
        for number in 1...3 { try await alice.send("\(number)", to: .lobby) }
        let newest = try page(await hub.history(of: .lobby, .newest, limit: 2, id: .named("h1")))
        #expect(newest.messages.map(\.text) == ["2", "3"])
        let after = try page(await hub.history(of: .lobby, .after(1), limit: 1, id: .named("h2")))
        #expect(after.messages.map(\.text) == ["2"])
        #expect(after.more)
    }

    @Test func aStoreThatFailsIsSaid() async throws {
        let store = FaultInjectingStore()
        let hub = makeHub(store: store)
        store.fail(.failBefore)
        let published = await hub.publish("lost", to: .lobby, from: bot, id: .named("b1"))
        guard case .error(_, .unavailable, _, _) = published else { throw Unexpected(event: published) }
    }

    // MARK: Rooms and users

    @Test func roomsAndTheirMembersAreListed() async throws {
        let hub = makeHub()
        #expect(await hub.rooms(of: .standard) == [])
        #expect(await hub.members(of: .lobby) == Event.Members())
        _ = try await member(.alice, .phone, of: hub)
        _ = try await member(.alice, .laptop, of: hub)
        let bob = try await member(.bob, of: hub)
        try await bob.join(.named("attic"))
        #expect(
            await hub.rooms(of: .standard) == [
                Hub.RoomSummary(room: .named("attic"), users: 1, sessions: 1),
                Hub.RoomSummary(room: .lobby, users: 2, sessions: 3),
            ])
        let members = await hub.members(of: .lobby)
        #expect(members.listed.map(\.user) == [.alice, .bob])
        #expect(members.count == 2)
    }

    @Test func aUserIsDisconnectedOnAllDevices() async throws {
        let hub = makeHub()
        let phone = try await member(.alice, .phone, of: hub)
        let laptop = try await member(.alice, .laptop, of: hub)
        let bob = try await member(.bob, of: hub)
        #expect(await hub.disconnect(UserKey(tenant: .standard, user: .alice)) == 2)
        #expect(phone.closeCode == .removed)
        #expect(laptop.closeCode == .removed)
        #expect(bob.closeCode == nil)
        #expect(await hub.disconnect(UserKey(tenant: .standard, user: .alice)) == 0)
        #expect(await hub.members(of: .lobby).listed.map(\.user) == [.bob])
    }

    // MARK: Moderation

    @Test func aUserIsMutedBannedAndPardoned() async throws {
        let hub = makeHub { record in #expect(record.isByService) }
        let alice = try await member(.alice, of: hub)
        func moderate(_ kind: Sanction.Kind, _ id: String) async -> Event {
            await hub.moderate(.lobby, Sanction(kind, user: .alice, by: bot), id: .named(id))
        }
        #expect(await hub.revokedPermissions(of: .alice, in: .lobby) == [])
        let muted = await moderate(.mute(minutes: 5), "m1")
        #expect(
            muted == .notice(id: .named("m1"), room: .lobby, text: "alice was muted for 5 min by The bot"))
        #expect(await hub.revokedPermissions(of: .alice, in: .lobby) == .write)
        await #expect(throws: HubClient.Failure.self) { try await alice.send("hi", to: .lobby) }
        #expect(await hub.sanctions(of: .lobby)?.map(\.isBan) == [false])

        _ = await moderate(.ban(minutes: 5), "m2")
        #expect(await hub.revokedPermissions(of: .alice, in: .lobby) == .all)
        #expect(await hub.members(of: .lobby).count == 0)
        _ = await moderate(.pardon, "m3")
        // The room is empty: the store has the moderation state.
        #expect(await hub.revokedPermissions(of: .alice, in: .lobby) == [])
        #expect(await hub.sanctions(of: .lobby) == [])
        let absent = await moderate(.kick, "m4")
        guard case .error(_, .notFound, _, _) = absent else { throw Unexpected(event: absent) }
    }

    @Test func aStoreThatCannotAnswerLeavesItOpenWhoIsBanned() async {
        let store = FaultInjectingStore()
        let hub = makeHub(store: store)
        store.fail(.failBefore)
        #expect(await hub.sanctions(of: .lobby) == nil)
    }

    // MARK: The end

    @Test func aHubThatDrainsAcceptsNobody() async {
        let hub = makeHub()
        #expect(hub.isAccepting)
        #expect(hub.refusal(ofAddress: "192.0.2.1") == nil)
        hub.drain(DrainPlan(closeOver: 100, reconnectOver: 1000))
        #expect(!hub.isAccepting)
        #expect(hub.refusal(ofAddress: nil) == .notAccepting)
    }
}
