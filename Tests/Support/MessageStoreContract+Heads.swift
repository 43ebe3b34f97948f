internal import GoHubCore
internal import Testing

// MARK: Heads

let headChecks: [MessageStoreContract] = [
    MessageStoreContract("heads that are the same are not returned") { fixture in
        _ = await fixture.fill(3)
        let known = await fixture.heads(["room", "unused"])
        #expect(known.map(\.position.offset) == [3, 0])
        #expect(await fixture.compare(known) == [])
        #expect(await fixture.compare([]) == [])
    },
    MessageStoreContract("a room that has grown is returned with its new head, others aren't") { fixture in
        _ = await fixture.fill(1)
        var known = await fixture.heads(["room", "other", "third"])
        _ = await fixture.append(fixture.draft("a", in: "other"), fixture.draft("b", in: "other"))
        let epoch = known[1].position.epoch
        known[1].position.offset = 2
        #expect(await fixture.compare(await fixture.heads(["room", "third"]) + [known[1]]) == [])
        var old = known
        old[1].position.offset = 0
        #expect(await fixture.compare(old) == [known[1]])
        #expect(known[1].position.epoch == epoch)
    },
    MessageStoreContract("a head that is ahead of the store, or of another epoch, is returned") { fixture in
        _ = await fixture.fill(2)
        let stored = await fixture.heads(["room"])
        var ahead = stored
        ahead[0].position.offset = 9
        #expect(await fixture.compare(ahead) == stored)
        var other = stored
        other[0].position.epoch = Epoch("another")
        #expect(await fixture.compare(other) == stored)
        var unused = await fixture.heads(["unused"])
        let none = unused
        unused[0].position.epoch = Epoch("another")
        #expect(await fixture.compare(unused) == none)
    },
    MessageStoreContract("every change of a mute or ban is a difference, also in a room without messages") { fixture in
        for room in ["room", "unused"] {
            if room == "room" { _ = await fixture.fill(1) }
            var known = await fixture.heads([room])
            #expect(known.map(\.sanctionsVersion) == [0])
            let steps: [(String, SanctionNote.Kind)] = [
                ("bob", .mute(600_000)), ("carol", .ban(600_000)), ("bob", .ban(700_000)), ("carol", .pardon),
                ("carol", .mute(600_000)),
            ]
            for (user, kind) in steps {
                _ = await fixture.sanction(user, kind, in: room)
                let changed = await fixture.compare(known)
                #expect(changed.count == 1, "\(user) \(kind)")
                #expect(changed.map(\.position) == known.map(\.position))
                #expect(changed.first?.sanctionsVersion != 0)
                known = changed
                #expect(await fixture.compare(known) == [])
            }
        }
    },
    MessageStoreContract("a page has the version of its mutes and bans") { fixture in
        let before = await fixture.heads(["room"])
        _ = await fixture.sanction("bob", .ban(600_000))
        let page = try? await fixture.store.read(.sanctions(of: fixture.room(), max: 10)).get()
        #expect(page?.sanctionsVersion == (await fixture.compare(before)).first?.sanctionsVersion)
        #expect(page?.sanctionsVersion != 0)
    },
    MessageStoreContract("a mute that changes nothing leaves the version") { fixture in
        _ = await fixture.sanction("bob", .ban(600_000))
        let known = await fixture.heads(["room"])
        _ = await fixture.sanction("bob", .mute(600_000))
        _ = await fixture.sanction("carol", .pardon)
        #expect(await fixture.compare(known) == [])
    },
    MessageStoreContract("a thousand rooms are compared at once") { fixture in
        let names = (0..<RoomHead.roomsMax).map { "r\($0)" }
        let known = await fixture.heads(names)
        _ = await fixture.store.append(
            stride(from: 0, to: names.count, by: 10).map { fixture.draft("a", in: names[$0]) })
        let changed = await fixture.compare(known)
        #expect(Set(changed.map(\.room.name.value)) == Set(stride(from: 0, to: names.count, by: 10).map { names[$0] }))
        #expect(changed.allSatisfy { $0.position.offset == 1 })
    },
    MessageStoreContract("rooms of one name in two tenants are compared each by itself") { fixture in
        let other = StoreFixture(store: fixture.store)
        let known = await fixture.heads(["room"]) + (await other.heads(["room"]))
        _ = await other.fill(1)
        #expect(await fixture.compare(known).map(\.room) == [other.room()])
    },
]

extension StoreFixture {
    /// The rooms' heads as the store has them, in the order of the names.
    func heads(_ names: [String]) async -> [RoomHead] {
        let unknown = names.map {
            RoomHead(room: room($0), position: Position(epoch: Epoch("?"), offset: 0), sanctionsVersion: 0)
        }
        let stored = Dictionary(await compare(unknown).map { ($0.room, $0) }) { first, _ in first }
        #expect(stored.count == names.count, "every room has an epoch")
        return names.compactMap { stored[room($0)] }
    }

    func compare(_ known: [RoomHead]) async -> [RoomHead] {
        let result = await store.readHeads(known)
        #expect(throws: Never.self) { try result.get() }
        return (try? result.get()) ?? []
    }
}
