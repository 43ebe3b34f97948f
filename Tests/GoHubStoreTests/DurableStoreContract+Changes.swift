import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

extension DurableStoreContract {
    static let factChecks: [DurableStoreContract] = [
        DurableStoreContract("facts and what they have made of messages are there when it is opened again") { fixture in
            let before = try await fixture.withStore { store in
                _ = await fixture.append(1...3, to: store)
                _ = await store.append([
                    fixture.edit(1, to: "new"), fixture.react(.thumb, to: 2), fixture.react(.heart, to: 2, from: .bob),
                    fixture.delete(3),
                ])
                return try await fixture.read(of: store)
            }
            #expect(before.messages.prefix(3).map(\.text) == ["new", "text of 2", ""])
            try await fixture.withStore { store in
                try #expect(await fixture.read(of: store) == before)
                let outcomes = await store.append([
                    fixture.react(.thumb, to: 2), fixture.react(.thumb, to: 2, from: .bob), fixture.edit(3, to: "back"),
                    fixture.edit(1, to: "stolen", from: .bob),
                ])
                #expect(
                    outcomes == [
                        .unchanged(at: fixture.time.wall),
                        .applied(
                            Position(epoch: before.head.epoch, offset: 8), at: fixture.time.wall,
                            MessageChange(of: 2, .reaction(.thumb, isRemoval: false, count: 2))),
                        .refused(.notFound), .refused(.forbidden),
                    ])
            }
        },
        DurableStoreContract("a repeated change request is known when it is opened again, for the window") { fixture in
            let changes = [fixture.edit(1, to: "new", id: "e"), fixture.react(.thumb, to: 1, id: "r")]
            _ = try await fixture.withStore { store in
                _ = await fixture.append(1...1, to: store)
                #expect(await store.append(changes).map(\.position?.offset) == [2, 3])
            }
            try await fixture.withStore { store in
                #expect(await store.append(changes).map(\.isDuplicate) == [true, true])
                fixture.time.advance(by: day)
                let late = await store.append(changes)
                #expect(late.map(\.position?.offset) == [4, nil])
                #expect(late.last == .unchanged(at: changes[1].receivedAt))
            }
        },
        DurableStoreContract("retention takes facts with the messages, and what was made of them") { fixture in
            try await fixture.withStore(Retention(messagesPerRoomMax: 4)) { store in
                _ = await fixture.append(1...3, to: store)
                _ = await store.append([
                    fixture.edit(1, to: "new"), fixture.react(.thumb, to: 1), fixture.edit(3, to: "third"),
                    fixture.react(.heart, to: 3), fixture.draft(8),
                ])
                try await store.sweep()
                let page = try await fixture.read(of: store)
                #expect(page.messages.map(\.offset) == [5, 6, 7, 8])
                // Nothing is known of a message that is gone.
                #expect(page.messages.map(\.text) == ["", "", "", "text of 8"])
                #expect(page.head.offset == 8)
                let outcomes = await store.append([
                    fixture.edit(1, to: "x"), fixture.react(.heart, to: 3, isRemoval: true),
                ])
                #expect(outcomes == [.refused(.notFound), .refused(.notFound)])
                // An edit whose message is gone, and one whose message is there.
                _ = await store.append([fixture.edit(8, to: "eighth"), fixture.draft(9), fixture.draft(10)])
                try await store.sweep()
                try #expect(
                    await fixture.read(of: store).messages.map(\.text) == [
                        "eighth", "eighth", "text of 9", "text of 10",
                    ])
            }
        },
        DurableStoreContract("a room whose facts alone are left comes to hold none, and unread stays right") {
            fixture in
            try await fixture.withStore(Retention(ageMax: .seconds(60))) { store in
                let epoch = await fixture.append(1...2, to: store).first?.position?.epoch ?? Epoch("none")
                let note = ReceiptNote(room: fixture.room, epoch: epoch, user: .bob, Receipt(seen: 1))
                try await store.store([note]).get()
                fixture.time.advance(by: .seconds(40))
                _ = await store.append((0..<6).map { fixture.edit(2, to: "text \($0)") })
                let rooms = RoomsRequest(
                    user: UserKey(tenant: fixture.room.tenant, user: .bob), grants: .participant, roomsMax: 10,
                    bytesMax: 1000)
                try #expect(await store.read(rooms).get().rooms.map(\.unread) == [1])
                // Receipts of changes outlive the messages.
                let got = Receipt(delivered: 8, seen: 1)
                try await store.store([ReceiptNote(room: fixture.room, epoch: epoch, user: .bob, got)]).get()
                fixture.time.advance(by: .seconds(21))
                try await store.sweep()
                let page = try await fixture.read(of: store)
                #expect(page.messages.map(\.change?.target) == [2, 2, 2, 2, 2, 2])
                #expect(page.messages.allSatisfy { $0.text.isEmpty })
                // Edits still don't count as unread, and there is no last message.
                let room = try await store.read(rooms).get().rooms.first
                #expect(room?.unread == 1)
                #expect(room?.last == nil)
                fixture.time.advance(by: .seconds(60))
                try await store.sweep()
                try #expect(await fixture.read(of: store).messages == [])
                #expect(await fixture.append(3...3, to: store).map(\.offset) == [9])
                #expect(await store.append([fixture.react(.thumb, to: 9)]).map(\.position?.offset) == [10])
            }
        },
    ]
}

extension DurableStoreFixture {
    func edit(
        _ target: Offset, to text: String, from user: UserID = .alice, id: String? = nil
    ) -> MessageDraft {
        request(ChangeRequest(of: target, .edit), user, id, text)
    }

    func delete(_ target: Offset, from user: UserID = .alice) -> MessageDraft {
        request(ChangeRequest(of: target, .delete(mayModerate: false)), user, nil)
    }

    func react(
        _ reaction: Reaction, to target: Offset, from user: UserID = .alice, isRemoval: Bool = false,
        id: String? = nil
    ) -> MessageDraft {
        let bounds = ChangeRequest.ReactionBounds(kindsMax: 20, perUserMax: 5, totalMax: 1000)
        return request(ChangeRequest(of: target, .react(reaction, isRemoval: isRemoval, bounds)), user, id)
    }

    private func request(_ request: ChangeRequest, _ user: UserID, _ id: String?, _ text: String = "") -> MessageDraft {
        MessageDraft(
            room: room, id: .named(id ?? "w\(UInt64.random(in: .min ... .max))"), from: Member(user: user),
            receivedAt: time.wall, request, text: text)
    }

    // MARK: From a version without changes

    func fillForMigration(_ store: any DurableMessageStore) async throws -> HistoryPage {
        _ = await append(1...3, to: store)
        let page = try await read(of: store)
        let note = ReceiptNote(room: room, epoch: page.head.epoch, user: .bob, Receipt(seen: 2))
        try await store.store([note]).get()
        return page
    }

    /// All data is there, and older messages can be changed.
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
