import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

extension DurableStoreContract {
    static let factChecks: [DurableStoreContract] = [
        DurableStoreContract("facts and what they have made of messages are there when it is opened again") { bench in
            let before = try await bench.withStore { store in
                _ = await bench.append(1...3, to: store)
                _ = await store.append([
                    bench.edit(1, to: "new"), bench.react(.thumb, to: 2), bench.react(.heart, to: 2, from: .bob),
                    bench.delete(3),
                ])
                return try await bench.read(of: store)
            }
            #expect(before.messages.prefix(3).map(\.text) == ["new", "text of 2", ""])
            try await bench.withStore { store in
                try #expect(await bench.read(of: store) == before)
                let outcomes = await store.append([
                    bench.react(.thumb, to: 2), bench.react(.thumb, to: 2, from: .bob), bench.edit(3, to: "back"),
                    bench.edit(1, to: "stolen", from: .bob),
                ])
                #expect(
                    outcomes == [
                        .unchanged(at: bench.time.wall),
                        .applied(
                            Position(epoch: before.head.epoch, offset: 8), at: bench.time.wall,
                            Fact(of: 2, .reaction(.thumb, isRemoval: false, count: 2))),
                        .refused(.notFound), .refused(.forbidden),
                    ])
            }
        },
        DurableStoreContract("a repeat of a wish is known when it is opened again, for the window") { bench in
            let wishes = [bench.edit(1, to: "new", id: "e"), bench.react(.thumb, to: 1, id: "r")]
            _ = try await bench.withStore { store in
                _ = await bench.append(1...1, to: store)
                #expect(await store.append(wishes).map(\.position?.offset) == [2, 3])
            }
            try await bench.withStore { store in
                #expect(await store.append(wishes).map(\.isDuplicate) == [true, true])
                bench.time.advance(by: day)
                let late = await store.append(wishes)
                #expect(late.map(\.position?.offset) == [4, nil])
                #expect(late.last == .unchanged(at: wishes[1].receivedAt))
            }
        },
        DurableStoreContract("retention takes facts with the messages, and what was made of them") { bench in
            try await bench.withStore(Retention(messagesPerRoomMax: 4)) { store in
                _ = await bench.append(1...3, to: store)
                _ = await store.append([
                    bench.edit(1, to: "new"), bench.react(.thumb, to: 1), bench.edit(3, to: "third"),
                    bench.react(.heart, to: 3), bench.draft(8),
                ])
                try await store.sweep()
                let page = try await bench.read(of: store)
                #expect(page.messages.map(\.offset) == [5, 6, 7, 8])
                // Of a message that is gone nothing is known.
                #expect(page.messages.map(\.text) == ["", "", "", "text of 8"])
                #expect(page.head.offset == 8)
                let outcomes = await store.append([bench.edit(1, to: "x"), bench.react(.heart, to: 3, isRemoval: true)])
                #expect(outcomes == [.refused(.notFound), .refused(.notFound)])
                // An edit whose message is gone, and one whose message is there.
                _ = await store.append([bench.edit(8, to: "eighth"), bench.draft(9), bench.draft(10)])
                try await store.sweep()
                try #expect(
                    await bench.read(of: store).messages.map(\.text) == ["eighth", "eighth", "text of 9", "text of 10"])
            }
        },
        DurableStoreContract("a room whose facts alone are left comes to hold none, and unread stays right") { bench in
            try await bench.withStore(Retention(ageMax: .seconds(60))) { store in
                let epoch = await bench.append(1...2, to: store).first?.position?.epoch ?? Epoch("none")
                let note = ReceiptNote(room: bench.room, epoch: epoch, user: .bob, Receipt(seen: 1))
                try await store.store([note]).get()
                bench.time.advance(by: .seconds(40))
                _ = await store.append((0..<6).map { bench.edit(2, to: "text \($0)") })
                let rooms = RoomsRequest(
                    user: UserKey(tenant: bench.room.tenant, user: .bob), grants: .participant, roomsMax: 10,
                    bytesMax: 1000)
                try #expect(await store.read(rooms).get().rooms.map(\.unread) == [1])
                // Who has got the facts isn't forgotten with the messages.
                let got = Receipt(delivered: 8, seen: 1)
                try await store.store([ReceiptNote(room: bench.room, epoch: epoch, user: .bob, got)]).get()
                bench.time.advance(by: .seconds(21))
                try await store.sweep()
                let page = try await bench.read(of: store)
                #expect(page.messages.map(\.fact?.target) == [2, 2, 2, 2, 2, 2])
                #expect(page.messages.allSatisfy { $0.text.isEmpty })
                // The edits are still counted out, and nothing is the last message.
                let room = try await store.read(rooms).get().rooms.first
                #expect(room?.unread == 1)
                #expect(room?.last == nil)
                bench.time.advance(by: .seconds(60))
                try await store.sweep()
                try #expect(await bench.read(of: store).messages == [])
                #expect(await bench.append(3...3, to: store).map(\.offset) == [9])
                #expect(await store.append([bench.react(.thumb, to: 9)]).map(\.position?.offset) == [10])
            }
        },
    ]
}

extension DurableBench {
    func edit(
        _ target: Offset, to text: String, from user: UserID = .alice, id: String? = nil
    ) -> MessageDraft {
        wish(Wish(of: target, .edit), user, id, text)
    }

    func delete(_ target: Offset, from user: UserID = .alice) -> MessageDraft {
        wish(Wish(of: target, .delete(mayModerate: false)), user, nil)
    }

    func react(
        _ reaction: Reaction, to target: Offset, from user: UserID = .alice, isRemoval: Bool = false,
        id: String? = nil
    ) -> MessageDraft {
        let bounds = Wish.ReactionBounds(kindsMax: 20, perUserMax: 5, totalMax: 1000)
        return wish(Wish(of: target, .react(reaction, isRemoval: isRemoval, bounds)), user, id)
    }

    private func wish(_ wish: Wish, _ user: UserID, _ id: String?, _ text: String = "") -> MessageDraft {
        MessageDraft(
            room: room, id: .named(id ?? "w\(UInt64.random(in: .min ... .max))"), from: Member(user: user),
            receivedAt: time.wall, wish, text: text)
    }

    // MARK: From a version without facts

    func fillForMigration(_ store: any DurableMessageStore) async throws -> HistoryPage {
        _ = await append(1...3, to: store)
        let page = try await read(of: store)
        let note = ReceiptNote(room: room, epoch: page.head.epoch, user: .bob, Receipt(seen: 2))
        try await store.store([note]).get()
        return page
    }

    /// All is there, and facts are made of what was sent before there were any.
    func checkMigrated(_ store: any DurableMessageStore, _ before: HistoryPage) async throws {
        try #expect(await read(of: store) == before)
        #expect(await append(1...1, to: store).map(\.isDuplicate) == [true])
        let outcomes = await store.append([edit(1, to: "new"), react(.thumb, to: 2), delete(3), draft(7)])
        #expect(outcomes.map(\.position?.offset) == [4, 5, 6, 7])
        let page = try await read(of: store)
        #expect(page.messages.prefix(3).map(\.text) == ["new", "text of 2", ""])
        let rooms = RoomsRequest(
            user: UserKey(tenant: room.tenant, user: .bob), grants: .participant, roomsMax: 10, bytesMax: 1000)
        try #expect(await store.read(rooms).get().rooms.map(\.unread) == [2])
    }
}
