import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Requests of the process that runs a server.
@Suite struct ServerAPITests {
    @Test func publishedTextIsValidatedLikeAClients() async throws {
        try await ServerFixture.run { fixture in
            let limit = Limits().textBytesMax
            for (text, code) in [
                ("", ErrorCode.badRequest), ("a\0b", .badRequest),
                (String(repeating: "x", count: limit + 1), .tooLarge),
            ] {
                let event = await fixture.server.publish(
                    text, to: .lobby, from: Member(user: .alice), id: .named("1"))
                guard case .error(_, code, _, _) = event else {
                    Issue.record("\(event)")
                    continue
                }
            }
        }
    }

    private let service = Member(user: .named("service"), name: "Service")

    private func ack(_ event: Event) throws -> Event.Ack {
        guard case .ack(let ack) = event else { throw NoAck(event: event) }
        return ack
    }

    private struct NoAck: Error {
        let event: Event
    }

    @Test(arguments: [1, 3]) func publishedMessageIsStoredAndDelivered(loops: Int) async throws {
        try await ServerFixture.run(configure: { $0.loops = loops }) { fixture in
            let alice = try await fixture.join(as: "alice")
            let first = try ack(
                await fixture.server.publish("maintenance at noon", to: .lobby, from: service, id: .named("a")))
            #expect(first.position?.offset == 1)
            #expect(!first.isDuplicate)
            let heard = try await alice.expect("message")
            #expect(heard["text"] == "maintenance at noon")
            #expect(heard["name"] == "Service")

            let again = try ack(
                await fixture.server.publish("maintenance at noon", to: .lobby, from: service, id: .named("a")))
            #expect(again.isDuplicate)
            #expect(again.position == first.position)
            _ = try ack(await fixture.server.publish("over", to: .lobby, from: service, id: .named("b")))
            #expect(try await alice.expect("message")["text"] == "over")
        }
    }

    @Test(arguments: [1, 3]) func deletionIsStoredAndDelivered(loops: Int) async throws {
        try await ServerFixture.run(configure: { $0.loops = loops }) { fixture in
            let alice = try await fixture.join(as: "alice")
            try await alice.say("spam", in: "lobby", id: "1")
            _ = try await alice.expect("ack")
            let deleted = try ack(await fixture.server.delete(1, in: .lobby, by: service, id: .named("d")))
            #expect(deleted.position?.offset == 2)
            let told = try await alice.expect("deleted")
            #expect(told["of"] == 1)
            #expect(told["from"] == "service")
            let again = await fixture.server.delete(1, in: .lobby, by: service, id: .named("e"))
            #expect(again == .error(id: .named("e"), code: .notFound, message: "There is no such message."))
        }
    }

    @Test(arguments: [1, 3]) func theServerEditsItsMessagesAndReadsHistory(loops: Int) async throws {
        try await ServerFixture.run(configure: { $0.loops = loops }) { fixture in
            let server = fixture.server
            _ = try ack(await server.publish("gren", to: .lobby, from: service, id: .named("a")))
            let edited = try ack(
                await server.edit(1, in: .lobby, to: "green", by: service, id: .named("b")))
            #expect(edited.position?.offset == 2)
            let event = await server.history(of: .lobby, .newest, limit: 10, id: .named("h"))
            guard case .page(.named("h"), .lobby, let page) = event else { throw NoAck(event: event) }
            #expect(page.messages.first?.text == "green")
            #expect(page.head.offset == 2)
        }
    }

    @Test func concurrentPublicationsAreAnswered() async throws {
        try await ServerFixture.run { fixture in
            let server = fixture.server
            let offsets = await withTaskGroup(of: UInt64?.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        guard let id = CommandID("n\(number)") else { return nil }
                        let reply = await server.publish("x", to: .lobby, from: service, id: id)
                        guard case .ack(let ack) = reply else { return nil }
                        return ack.position?.offset
                    }
                }
                return await group.reduce(into: Set<UInt64>()) { offsets, offset in
                    if let offset { offsets.insert(offset) }
                }
            }
            #expect(offsets == Set(1...200))
        }
    }

    @Test func storeFailureIsAnError() async throws {
        let store = FaultInjectingStore()
        try await ServerFixture.run(store: store) { fixture in
            store.fail(.failBefore)
            let reply = await fixture.server.publish("lost", to: .lobby, from: service, id: .named("a"))
            guard case .error(_, .unavailable, _, _) = reply else {
                Issue.record("got \(reply)")
                return
            }
            _ = try ack(await fixture.server.publish("kept", to: .lobby, from: service, id: .named("b")))
        }
    }

    @Test func disconnectEndsAllSessionsOfUser() async throws {
        try await ServerFixture.run(configure: { $0.loops = 3 }) { fixture in
            let phone = try await fixture.join(as: "alice", device: "phone")
            let laptop = try await fixture.join(as: "alice", device: "laptop")
            let bob = try await fixture.join(as: "bob")
            let alice = UserKey(tenant: .standard, user: .alice)
            #expect(await fixture.server.disconnect(alice) == 2)
            #expect(try await phone.expectClose() == 4504)
            #expect(try await laptop.expectClose() == 4504)
            try await fixture.until("nobody is left to disconnect") { await fixture.server.disconnect(alice) == 0 }
            try await bob.say("still here", in: "lobby", id: "1")
            _ = try await bob.expect("ack")
        }
    }

    // MARK: Moderation

    private func notice(_ event: Event) -> String {
        guard case .notice(_, _, let text) = event else { return "\(event)" }
        return text
    }

    private func moderate(_ fixture: ServerFixture, _ kind: Sanction.Kind, _ user: UserID = .bob) async -> String {
        let sanction = Sanction(kind, user: user, by: service)
        return notice(await fixture.server.moderate(.lobby, sanction, id: .named("m")))
    }

    /// Whether anybody is in the room, on any loop.
    @Test(arguments: [1, 3]) func banAppliesInMemoryAndInStore(loops: Int) async throws {
        try await ServerFixture.run(configure: { $0.loops = loops }) { fixture in
            let server = fixture.server
            #expect(await moderate(fixture, .ban(minutes: 5)) == "bob was banned for 5 min by Service")
            #expect(await server.revokedPermissions(of: .bob, in: .lobby) == .all, "the store is asked")
            #expect(await server.revokedPermissions(of: .alice, in: .lobby) == [])
            let bob = try await fixture.connect()
            try await bob.hello("bob", device: "d1")
            try await bob.send(#"{"op":"join","id":"j","room":"lobby"}"#)
            #expect(try await bob.expect("error")["code"] == "forbidden")

            let alice = try await fixture.join(as: "alice")
            #expect(await server.revokedPermissions(of: .bob, in: .lobby) == .all, "the room knows")
            #expect(await server.sanctions(of: .lobby)?.map(\.user) == [.bob])
            #expect(await moderate(fixture, .pardon) == "bob was pardoned by Service")
            #expect(try await alice.expect("notice")["text"] == "bob was pardoned by Service")
            #expect(await server.revokedPermissions(of: .bob, in: .lobby) == [])
            #expect(await server.sanctions(of: .lobby) == [])
            try await bob.join("lobby")
            #expect(await moderate(fixture, .kick) == "bob was kicked by Service")
            #expect(try await bob.expect("left")["reason"] == "bob was kicked by Service")
            #expect(await moderate(fixture, .mute(minutes: 1)) == "bob was muted for 1 min by Service")
            #expect(await server.revokedPermissions(of: .bob, in: .lobby) == .write)
        }
    }

    @Test func restartKeepsMutesAndBans() async throws {
        let store = InMemoryMessageStore()
        try await ServerFixture.run(store: store) { fixture in
            let (alice, bob) = (try await fixture.join(as: "alice"), try await fixture.join(as: "bob"))
            try await alice.say("/ban carol 5", in: "lobby", id: "1")
            _ = try await alice.expect("notice")
            try await alice.say("/mute bob 5", in: "lobby", id: "2")
            _ = try await alice.expect("notice")
            _ = bob
        }
        try await ServerFixture.run(store: store) { fixture in
            let bob = try await fixture.join(as: "bob")
            try await bob.say("hello", in: "lobby", id: "1")
            #expect(try await bob.expect("error")["message"] == "You are muted in this room.")
            let carol = try await fixture.connect()
            try await carol.hello("carol", device: "d1")
            try await carol.send(#"{"op":"join","id":"j","room":"lobby"}"#)
            #expect(try await carol.expect("error")["message"] == "You are banned from this room.")
        }
    }

    @Test func failingStoreRefusesModeration() async throws {
        let store = FaultInjectingStore()
        try await ServerFixture.run(store: store) { fixture in
            store.fail(.failBefore)
            let sanction = Sanction(.ban(minutes: 5), user: .bob, by: service)
            #expect(
                await fixture.server.moderate(.lobby, sanction, id: .named("m"))
                    == .error(
                        id: .named("m"), code: .unavailable, message: "The store is unavailable. Try again shortly.",
                        retryAfter: 1000))
            #expect(await fixture.server.revokedPermissions(of: .bob, in: .lobby) == [])
            store.fail(.failBefore)
            #expect(await fixture.server.revokedPermissions(of: .bob, in: .lobby) == nil)
            store.fail(.failBefore)
            #expect(await fixture.server.sanctions(of: .lobby) == nil)
        }
    }

    /// One line each, for any moderator, without message texts.
    @Test func moderationIsLogged() async throws {
        let log = RecordedLog()
        try await ServerFixture.run(logger: log.logger()) { fixture in
            let (alice, bob) = (try await fixture.join(as: "alice"), try await fixture.join(as: "bob"))
            try await alice.say("/mute bob 7", in: "lobby", id: "1")
            #expect(try await alice.expect("notice")["text"] == "bob was muted for 7 min by alice")
            try await alice.say("a secret", in: "lobby", id: "2")
            _ = try await alice.expect("ack")
            #expect(await moderate(fixture, .pardon) == "bob was pardoned by Service")
            #expect(await moderate(fixture, .kick) == "bob was kicked by Service")
            // Commands without an effect are not logged.
            _ = await moderate(fixture, .pardon)
            _ = bob
        }
        let room = "room=lobby tenant=default through"
        #expect(
            log.lines().filter { $0.contains("moderation") } == [
                "notice moderation action=mute by=\"alice\" minutes=7 \(room)=a moderator's session user=\"bob\"",
                "notice moderation action=pardon by=\"service\" \(room)=server API user=\"bob\"",
                "notice moderation action=kick by=\"service\" \(room)=server API user=\"bob\"",
            ])
        #expect(log.count(of: "secret") == 0)
    }

    @Test func membersRoomsAndStatistics() async throws {
        try await ServerFixture.run(configure: { $0.loops = 3 }) { fixture in
            let server = fixture.server
            #expect(await server.statistics() == ServerStatistics())
            #expect(await server.rooms(of: .standard).isEmpty)
            let alice = try await fixture.join("lobby", as: "alice")
            try await alice.join("garden")
            let bob = try await fixture.join("garden", as: "bob")
            let members = await server.members(of: .named("garden"))
            #expect(members.count == 2)
            #expect(await server.rooms(of: .standard).map(\.room.value) == ["garden", "lobby"])
            #expect(await server.rooms(of: .named("other")).isEmpty)
            #expect(await server.statistics() == ServerStatistics(connections: 2, sessions: 2, rooms: 2))
            await alice.disconnect()
            try await fixture.until("alice is gone") { await server.statistics().sessions == 1 }
            #expect(await server.members(of: .named("garden")).count == 1)
            #expect(await server.members(of: .lobby).count == 0)
            _ = bob
        }
    }
    /// An IPv6 address counts by its /64, as for the connections themselves.
    @Test func admissionRefusalGivesReason() async throws {
        try await ServerFixture.run(configure: {
            $0.connectionsMax = 3
            $0.connectionsPerAddressMax = 2
        }) { fixture in
            let server = fixture.server
            let first = try await fixture.connect()
            #expect(server.refusal(ofAddress: "127.0.0.1") == nil)
            let second = try await fixture.connect()
            #expect(server.refusal(ofAddress: "127.0.0.1") == .address)
            #expect(server.refusal(ofAddress: "::ffff:127.0.0.1") == .address)
            #expect(server.refusal(ofAddress: "192.0.2.1") == nil)
            #expect(server.refusal(ofAddress: nil) == nil)
            await server.stop()
            #expect(server.refusal(ofAddress: "192.0.2.1") == .notAccepting)
            _ = (first, second)
        }
        try await ServerFixture.run(configure: { $0.connectionsMax = 1 }) { fixture in
            let only = try await fixture.connect()
            #expect(fixture.server.refusal(ofAddress: "192.0.2.1") == .full)
            _ = only
        }
    }
}
