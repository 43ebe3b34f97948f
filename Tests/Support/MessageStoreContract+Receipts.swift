internal import GoHubCore
internal import Testing

// MARK: Receipts

let receiptChecks: [MessageStoreContract] = [
    MessageStoreContract("a receipt comes with a page of its room, if it is asked for") { fixture in
        let epoch = await fixture.fill(5)
        await fixture.note(epoch, "bob", Receipt(delivered: 4, seen: 3))
        #expect(await fixture.receipts() == ["bob": Receipt(delivered: 4, seen: 3)])
        #expect(await fixture.read(.newest)?.receipts == [])
        #expect(await fixture.receipts(in: "other") == [:])
    },
    MessageStoreContract("an offset never goes back, in whatever order receipts come") { fixture in
        let epoch = await fixture.fill(9)
        await fixture.note(epoch, "bob", Receipt(delivered: 5, seen: 3))
        for (receipt, expected) in [
            (Receipt(delivered: 4, seen: 1), Receipt(delivered: 5, seen: 3)),
            (Receipt(), Receipt(delivered: 5, seen: 3)),
            (Receipt(delivered: 7), Receipt(delivered: 7, seen: 3)),
            (Receipt(seen: 6), Receipt(delivered: 7, seen: 6)),
            (Receipt(seen: 9), Receipt(seen: 9)),
        ] {
            await fixture.note(epoch, "bob", receipt)
            #expect(await fixture.receipts() == ["bob": expected])
        }
    },
    MessageStoreContract("of two receipts of a user in one batch the further offsets count") { fixture in
        let epoch = await fixture.fill(9)
        await fixture.note(
            epoch, [("bob", Receipt(delivered: 7)), ("bob", Receipt(seen: 4)), ("carol", Receipt(seen: 1))])
        #expect(await fixture.receipts() == ["bob": Receipt(delivered: 7, seen: 4), "carol": Receipt(seen: 1)])
    },
    MessageStoreContract("a receipt that can't be is left out, and the others of its batch are not") { fixture in
        let epoch = await fixture.fill(5)
        await fixture.note(
            epoch,
            [
                ("a", Receipt(seen: 6)), ("b", Receipt(seen: .max)), ("c", Receipt(delivered: .max, seen: 1)),
                ("d", Receipt(seen: 5)),
            ])
        await fixture.note(Epoch("another"), "e", Receipt(seen: 1))
        await fixture.note(epoch, "f", Receipt(seen: 1), in: "unused")
        await fixture.note(epoch, "g", Receipt(), in: "unused")
        #expect(await fixture.receipts() == ["d": Receipt(seen: 5)])
        #expect(await fixture.receipts(in: "unused") == [:])
    },
    MessageStoreContract("as many receipts come as are asked for") { fixture in
        let epoch = await fixture.fill(1)
        await fixture.note(epoch, (0..<500).map { ("user-\($0)", Receipt(seen: 1)) })
        #expect(await fixture.receipts().count == 500)
        #expect(await fixture.receipts(max: 7).count == 7)
    },
    MessageStoreContract("an empty batch of receipts is stored") { fixture in
        await fixture.note(nil, [])
    },
    MessageStoreContract("writers of one receipt at once leave the furthest") { fixture in
        let epoch = await fixture.fill(80)
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<10 {
                        await fixture.note(epoch, "bob", Receipt(seen: UInt64(number * 8 + writer + 1)))
                    }
                }
            }
        }
        #expect(await fixture.receipts() == ["bob": Receipt(seen: 80)])
    },
]

// MARK: A user's rooms

let roomChecks: [MessageStoreContract] = [
    MessageStoreContract("a user's rooms tell where they stand, the last message and what is unread") { fixture in
        let outcomes = await fixture.append(
            fixture.draft("1", in: "one"), fixture.draft("2", in: "one"), fixture.draft("1", in: "two"),
            fixture.draft("1", in: "three"))
        let epoch = outcomes.first?.position?.epoch
        await fixture.note(epoch, "bob", Receipt(delivered: 1), in: "one")
        await fixture.note(outcomes[2].position?.epoch, "bob", Receipt(seen: 1), in: "two")
        await fixture.note(outcomes[3].position?.epoch, "carol", Receipt(seen: 1), in: "three")
        let page = await fixture.rooms(of: "bob")
        #expect(page?.rooms.map(\.room.value) == ["one", "two"])
        #expect(page?.rooms.map(\.head.offset) == [2, 1])
        #expect(page?.rooms.first?.head.epoch == epoch)
        #expect(page?.rooms.map(\.receipt) == [Receipt(delivered: 1), Receipt(seen: 1)])
        #expect(page?.rooms.map(\.unread) == [2, 0])
        #expect(page?.rooms.map(\.last?.text) == ["text of 2", "text of 1"])
        #expect(page?.more == false)
        #expect(await fixture.rooms(of: "dave") == RoomsPage())
    },
    MessageStoreContract("a receipt at the beginning makes a room one of its user's") { fixture in
        let epoch = await fixture.fill(3)
        await fixture.note(epoch, "bob", Receipt())
        #expect(await fixture.rooms(of: "bob")?.rooms.map(\.unread) == [3])
    },
    MessageStoreContract("rooms that the grants don't open are not among a user's") { fixture in
        let direct = RoomName.direct(.alice, .bob)
        let names = ["a", "team", "team-one", "team-two", "z"].map { RoomName.named($0) } + [direct]
        for name in names {
            let room = RoomID(tenant: fixture.tenant, name: name)
            let draft = MessageDraft(
                room: room, id: .named("1"), from: Member(user: .alice), receivedAt: .ms(7), text: "text")
            guard let epoch = await fixture.append(draft).first?.position?.epoch else { continue }
            await fixture.store(ReceiptNote(room: room, epoch: epoch, user: .bob, Receipt(seen: 1)))
        }
        func mine(_ patterns: [(String, Permissions)], _ max: Int = 10) async -> [String]? {
            let entries = patterns.compactMap { pattern, can in
                Grants.Pattern(pattern).map { Grants.Entry(match: $0, can: can) }
            }
            return await fixture.rooms(of: "bob", Grants(entries), max)?.rooms.map(\.room.value)
        }
        #expect(await mine([("*", .read)]) == ["a", direct.value, "team", "team-one", "team-two", "z"])
        #expect(
            await mine([("team-*", .read), ("a", [.read, .write])]) == ["a", direct.value, "team-one", "team-two"])
        #expect(
            await mine([("team*", .write), ("z", .read)]) == [direct.value, "z"], "who may only write reads nothing")
        #expect(await mine([]) == [direct.value])
        // Inaccessible rooms take no place of a page.
        #expect(await mine([("team-two", .read), ("z", .read)], 2) == [direct.value, "team-two"])
    },
    MessageStoreContract("pages of rooms cover them once, in the order of their bytes") { fixture in
        let names = (0..<23).map { "r\($0)" }
        let outcomes = await fixture.store.append(names.map { fixture.draft("1", in: $0) })
        for (name, outcome) in zip(names, outcomes) {
            await fixture.note(outcome.position?.epoch, "bob", Receipt(), in: name)
        }
        var seen: [String] = []
        while let page = await fixture.rooms(of: "bob", after: seen.last, 5), !page.rooms.isEmpty {
            seen += page.rooms.map(\.room.value)
            #expect(page.more == (seen.count < 23))
        }
        #expect(seen == names.sorted())
    },
    MessageStoreContract("a page of rooms ends at its bytes, but holds one room") { fixture in
        for name in ["a", "b", "c"] {
            let outcomes = await fixture.append(fixture.draft("1", in: name, text: "123456789"))
            await fixture.note(outcomes.first?.position?.epoch, "bob", Receipt(), in: name)
        }
        let one = await fixture.rooms(of: "bob")?.rooms.first?.answerBytes ?? 0
        for (bytesMax, count) in [(3 * one, 3), (3 * one - 1, 2), (one, 1), (0, 1)] {
            let page = await fixture.rooms(of: "bob", bytesMax: bytesMax)
            #expect(page?.rooms.count == count)
            #expect(page?.more == (count < 3))
        }
    },
    MessageStoreContract("a user of the same name in another tenant has other rooms") { fixture in
        let other = StoreFixture(store: fixture.store)
        let (here, there) = (await fixture.fill(1), await other.fill(2))
        await fixture.note(here, "bob", Receipt(seen: 1))
        #expect(await other.rooms(of: "bob") == RoomsPage())
        await other.note(there, "bob", Receipt(seen: 1))
        #expect(await other.rooms(of: "bob")?.rooms.map(\.unread) == [1])
        #expect(await fixture.rooms(of: "bob")?.rooms.map(\.unread) == [0])
    },
]

extension StoreFixture {
    func note(_ epoch: Epoch?, _ user: String, _ receipt: Receipt, in room: String = "room") async {
        await note(epoch, [(user, receipt)], in: room)
    }

    func note(_ epoch: Epoch?, _ receipts: [(user: String, Receipt)], in room: String = "room") async {
        let notes = receipts.map { user, receipt in
            ReceiptNote(room: self.room(room), epoch: epoch ?? Epoch("none"), user: .named(user), receipt)
        }
        let result = await store.store(notes)
        #expect(throws: Never.self) { try result.get() }
    }

    func store(_ note: ReceiptNote) async {
        let result = await store.store([note])
        #expect(throws: Never.self) { try result.get() }
    }

    func receipts(max: Int = 1000, in room: String = "room") async -> [String: Receipt] {
        let request = HistoryRequest(
            room: self.room(room), range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: max)
        let receipts = (try? await store.read(request).get())?.receipts ?? []
        return Dictionary(receipts.map { ($0.user.value, $0.receipt) }) { first, _ in
            Issue.record("two receipts of one user")
            return first
        }
    }

    func rooms(
        of user: String, _ grants: Grants = .participant, after: String? = nil, _ roomsMax: Int = 100,
        bytesMax: Int = 100_000
    ) async -> RoomsPage? {
        let request = RoomsRequest(
            user: UserKey(tenant: tenant, user: .named(user)), grants: grants, after: after.map { .named($0) },
            roomsMax: roomsMax, bytesMax: bytesMax)
        let result = await store.read(request)
        #expect(throws: Never.self) { try result.get() }
        return try? result.get()
    }
}
