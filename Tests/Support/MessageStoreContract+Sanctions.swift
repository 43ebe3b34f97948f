internal import GoHubCore
internal import Testing

// MARK: Mutes and bans

let sanctionChecks: [MessageStoreContract] = [
    MessageStoreContract("mutes and bans come with a page of their room, if they are asked for") { fixture in
        _ = await fixture.fill(1)
        #expect(await fixture.sanction("bob", .mute(60_000)) == .stored)
        #expect(await fixture.sanction("carol", .ban(120_000)) == .stored)
        #expect(await fixture.sanctions() == ["bob": false, "carol": true])
        #expect(await fixture.sanctions(in: "other") == [:])
        #expect(await fixture.read(.newest)?.sanctions == [])
        #expect(await fixture.sanctions(max: 1).count == 1)
    },
    MessageStoreContract("a room that nobody has written to has mutes and bans") { fixture in
        #expect(await fixture.sanction("bob", .ban(60_000)) == .stored)
        #expect(await fixture.sanctions() == ["bob": true])
        #expect(await fixture.read(.newest)?.head.offset == 0)
    },
    MessageStoreContract("what is left of a mute is told, and is never more than its length") { fixture in
        _ = await fixture.sanction("bob", .mute(60_000))
        let left = await fixture.left(of: "bob")
        #expect(left > 0 && left <= 60_000)
        _ = await fixture.sanction("bob", .mute(.seconds(30 * 86_400)))
        #expect(await fixture.left(of: "bob") > 60_000, "the newer one counts")
    },
    MessageStoreContract("a mute or ban that is over isn't there") { fixture in
        #expect(await fixture.sanction("bob", .ban(0)) == .stored)
        #expect(await fixture.sanctions() == [:])
        #expect(await fixture.sanction("bob", .pardon) == .notFound)
        #expect(await fixture.sanction("bob", .mute(60_000)) == .stored, "one that is over doesn't stand in the way")
        #expect(await fixture.sanctions() == ["bob": false])
    },
    MessageStoreContract("a pardon removes a mute or a ban, and says so when there is none") { fixture in
        #expect(await fixture.sanction("bob", .pardon) == .notFound)
        _ = await fixture.sanction("bob", .ban(60_000))
        _ = await fixture.sanction("carol", .mute(60_000))
        #expect(await fixture.sanction("bob", .pardon) == .lifted)
        #expect(await fixture.sanctions() == ["carol": false])
        #expect(await fixture.sanction("bob", .pardon) == .notFound)
    },
    MessageStoreContract("a ban takes the place of a mute, but a mute doesn't change a ban") { fixture in
        _ = await fixture.sanction("bob", .mute(600_000))
        #expect(await fixture.sanction("bob", .ban(60_000)) == .stored)
        guard case .banned(let left) = await fixture.sanction("bob", .mute(600_000)) else {
            Issue.record("the mute was stored")
            return
        }
        #expect(left > 0 && left <= 60_000)
        #expect(await fixture.sanctions() == ["bob": true])
    },
    MessageStoreContract("what is asked for in one batch takes effect in its order") { fixture in
        let outcomes = await fixture.sanction([
            ("bob", .ban(60_000)), ("bob", .pardon), ("bob", .mute(60_000)), ("carol", .mute(60_000)),
            ("carol", .pardon), ("carol", .pardon),
        ])
        #expect(outcomes == [.stored, .lifted, .stored, .stored, .lifted, .notFound])
        #expect(await fixture.sanctions() == ["bob": false])
        #expect(await fixture.sanction([]) == [])
    },
    MessageStoreContract("a room has no more mutes and bans than it may, without those that are over") { fixture in
        _ = await fixture.sanction([("over", .ban(0)), ("a", .mute(60_000)), ("b", .ban(60_000))], max: 2)
        #expect(await fixture.sanction("c", .mute(60_000), max: 2) == .tooMany)
        #expect(await fixture.sanction("b", .ban(120_000), max: 2) == .stored, "a known one may change")
        #expect(await fixture.sanction("c", .mute(60_000), in: "other", max: 2) == .stored)
        #expect(await fixture.sanction([("a", .pardon), ("c", .mute(60_000))], max: 2) == [.lifted, .stored])
        #expect(await fixture.sanctions() == ["b": true, "c": false])
    },
    MessageStoreContract("a user of the same name in another tenant is not banned") { fixture in
        let other = StoreFixture(store: fixture.store)
        _ = await fixture.sanction("bob", .ban(60_000))
        #expect(await other.sanctions() == [:])
        #expect(await other.sanction("bob", .pardon) == .notFound)
    },
    MessageStoreContract("rooms that a user is banned from now are not among theirs") { fixture in
        for name in ["a", "b", "c"] {
            let outcomes = await fixture.append(fixture.draft("1", in: name))
            await fixture.note(outcomes.first?.position?.epoch, "bob", Receipt(seen: 1), in: name)
            await fixture.note(outcomes.first?.position?.epoch, "carol", Receipt(seen: 1), in: name)
        }
        func mine(_ user: String = "bob") async -> [String]? { await fixture.rooms(of: user)?.rooms.map(\.room.value) }
        _ = await fixture.sanction("bob", .mute(60_000), in: "a")
        _ = await fixture.sanction("bob", .ban(60_000), in: "b")
        #expect(await mine() == ["a", "c"])
        #expect(await mine("carol") == ["a", "b", "c"])
        // A banned room takes no place of a page.
        #expect(await fixture.rooms(of: "bob", .participant, 2)?.rooms.map(\.room.value) == ["a", "c"])
        #expect(await fixture.rooms(of: "bob", .participant, 2)?.more == false)
        // A ban ends following: only joining again restores it.
        _ = await fixture.sanction("bob", .pardon, in: "b")
        #expect(await mine() == ["a", "c"])
        await fixture.follow("bob", in: "b")
        #expect(await mine() == ["a", "b", "c"])
    },
    MessageStoreContract("who is banned before they ever followed, and joins during the ban, has no such room") {
        fixture in
        _ = await fixture.fill(2)
        _ = await fixture.sanction("bob", .ban(60_000))
        await fixture.follow("bob")
        #expect(await fixture.rooms(of: "bob")?.rooms == [])
    },
    MessageStoreContract("writers of one user's mutes and bans at once leave one of them") { fixture in
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<16 {
                group.addTask {
                    _ = await fixture.sanction("bob", number % 2 == 0 ? .mute(60_000) : .ban(60_000), max: 1)
                }
            }
        }
        #expect(await fixture.sanctions() == ["bob": true])
        #expect(await fixture.sanction("carol", .ban(60_000), max: 1) == .tooMany)
    },
]

// MARK: Following

let followingChecks: [MessageStoreContract] = [
    MessageStoreContract("a room that is followed is one of its user's, read or not, with all messages unread") {
        fixture in
        _ = await fixture.fill(3)
        await fixture.follow("bob")
        let page = await fixture.rooms(of: "bob")
        #expect(page?.rooms.map(\.receipt) == [Receipt()])
        #expect(page?.rooms.map(\.unread) == [3])
        #expect(page?.rooms.first?.last?.text == "text of 3")
    },
    MessageStoreContract("a room that nobody has written to can be followed, and counts what comes") { fixture in
        await fixture.follow("bob")
        let page = await fixture.rooms(of: "bob")
        #expect(page?.rooms.map(\.head.offset) == [0])
        #expect(page?.rooms.map(\.unread) == [0])
        #expect(page?.rooms.first?.last == nil)
        #expect(page?.rooms.first?.head.epoch == (await fixture.read(.newest)?.head.epoch))
        _ = await fixture.fill(2)
        #expect(await fixture.rooms(of: "bob")?.rooms.map(\.unread) == [2])
    },
    MessageStoreContract("a room that was left is not among its user's, and what they have got stays") { fixture in
        let epoch = await fixture.fill(3)
        await fixture.follow("bob")
        await fixture.note(epoch, "bob", Receipt(delivered: 2, seen: 1))
        await fixture.follow("bob", false)
        #expect(await fixture.rooms(of: "bob")?.rooms == [])
        #expect(await fixture.receipts() == ["bob": Receipt(delivered: 2, seen: 1)])
        await fixture.note(epoch, "bob", Receipt(seen: 2))
        #expect(await fixture.rooms(of: "bob")?.rooms == [], "a receipt doesn't make a follower of who has left")
        await fixture.follow("bob")
        #expect(await fixture.rooms(of: "bob")?.rooms.map(\.receipt) == [Receipt(seen: 2)])
    },
    MessageStoreContract("who leaves a room that they never followed has nothing of it") { fixture in
        _ = await fixture.fill(1)
        await fixture.follow("bob", false)
        #expect(await fixture.rooms(of: "bob")?.rooms == [])
        #expect(await fixture.receipts() == [:])
    },
    MessageStoreContract("of what one batch says of following the last counts") { fixture in
        let epoch = await fixture.fill(2)
        let room = fixture.room()
        func store(_ notes: (Receipt, Bool?)...) async {
            let result = await fixture.store.store(
                notes.map { ReceiptNote(room: room, epoch: epoch ?? Epoch(""), user: .bob, $0, follows: $1) })
            #expect(throws: Never.self) { try result.get() }
        }
        await store((Receipt(), true), (Receipt(seen: 1), nil), (Receipt(), false))
        #expect(await fixture.rooms(of: "bob")?.rooms == [])
        #expect(await fixture.receipts() == ["bob": Receipt(seen: 1)])
        await store((Receipt(), false), (Receipt(), true), (Receipt(seen: 2), nil))
        #expect(await fixture.rooms(of: "bob")?.rooms.map(\.receipt) == [Receipt(seen: 2)])
    },
    MessageStoreContract("a page of a room says who follows it") { fixture in
        let epoch = await fixture.fill(1)
        await fixture.follow("bob")
        await fixture.follow("carol")
        await fixture.follow("carol", false)
        await fixture.note(epoch, "carol", Receipt(seen: 1))
        let request = HistoryRequest(
            room: fixture.room(), range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: 10)
        let receipts = (try? await fixture.store.read(request).get())?.receipts ?? []
        #expect(Set(receipts.filter(\.isFollower).map(\.user)) == [.bob])
        #expect(Set(receipts.map(\.user)) == [.bob, .carol])
    },
]

extension StoreFixture {
    func sanction(
        _ user: String, _ kind: SanctionNote.Kind, in room: String = "room", max: Int = 100
    ) async -> SanctionNote.Outcome? {
        await sanction([(user, kind)], in: room, max: max)?.first
    }

    func sanction(
        _ notes: [(user: String, SanctionNote.Kind)], in room: String = "room", max: Int = 100
    ) async -> [SanctionNote.Outcome]? {
        let notes = notes.map { SanctionNote(room: self.room(room), user: .named($0), $1, perRoomMax: max) }
        let result = await store.store(notes)
        #expect(throws: Never.self) { try result.get() }
        return try? result.get()
    }

    /// For each muted or banned user: whether they are banned.
    func sanctions(max: Int = 100, in room: String = "room") async -> [String: Bool] {
        let found = await list(max: max, in: room).map { ($0.user.value, $0.isBan) }
        return Dictionary(found) { first, _ in
            Issue.record("two of one user")
            return first
        }
    }

    func left(of user: String) async -> Milliseconds {
        await list(max: 100, in: "room").first { $0.user.value == user }?.left ?? 0
    }

    private func list(max: Int, in room: String) async -> [UserSanction] {
        let result = await store.read(.sanctions(of: self.room(room), max: max))
        #expect(throws: Never.self) { try result.get() }
        return (try? result.get())?.sanctions ?? []
    }

    /// Notes a join or a leave.
    func follow(_ user: String, _ follows: Bool = true, in room: String = "room") async {
        guard let epoch = await read(.newest, in: room)?.head.epoch else { return }
        await store(
            ReceiptNote(room: self.room(room), epoch: epoch, user: .named(user), Receipt(), follows: follows))
    }
}
