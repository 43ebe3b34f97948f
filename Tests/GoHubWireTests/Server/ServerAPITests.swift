import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// What the process that runs a server asks of it.
@Suite struct ServerAPITests {
    @Test func aTextMustBeOneThatAClientCouldSend() async throws {
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

    @Test(arguments: [1, 3]) func aPublicationIsStoredAndDelivered(loops: Int) async throws {
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

    @Test(arguments: [1, 3]) func aDeletionIsStoredAndTold(loops: Int) async throws {
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
            #expect(again == .error(id: .named("e"), code: .notFound, message: "there is no such message"))
        }
    }

    @Test func manyPublicationsAtOnceAreAllAnswered() async throws {
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

    @Test func aStoreThatFailsIsAnError() async throws {
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

    @Test func disconnectingAUserEndsAllOfTheirSessions() async throws {
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
}
