import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

extension DurableStoreContract {
    static let fileChecks: [DurableStoreContract] = [
        DurableStoreContract("what messages hold is there when it is opened again, and counts") { fixture in
            let image = ImageProperties(width: 1, height: 2, placeholder: "p", hasPreview: true)
            let file = StoredFile.test("ä.png", in: fixture.room, image: image)
            let alt = AltText("a \"cat\"")
            let before = try await fixture.withStore { store in
                let files = fixture.files(of: store)
                await files.add(file)
                let outcomes = await store.append([
                    fixture.attach(1, file.id, alt: alt), fixture.draft(2), fixture.attach(3, file.id),
                    fixture.delete(3),
                    fixture.edit(1, to: "new"),
                ])
                #expect(outcomes.map(\.position?.offset) == [1, 2, 3, 4, 5])
                return try await fixture.read(of: store)
            }
            #expect(before.messages.map(\.files) == [[AttachedFile(file, alt: alt)], [], [], [], []])
            try await fixture.withStore { store in
                try #expect(await fixture.read(of: store) == before)
                #expect(await fixture.files(of: store).use(of: file.id)?.count == 1)
                // A repeat is recognised, and counts nothing.
                #expect(await store.append([fixture.attach(1, file.id)]).map(\.isDuplicate) == [true])
                fixture.time.advance(by: 5)
                #expect(await store.append([fixture.delete(1)]).map(\.position?.offset) == [6])
                let use = await fixture.files(of: store).use(of: file.id)
                #expect(use == FileUse(count: 0, unusedSince: fixture.time.wall))
            }
        },
        DurableStoreContract("an id whose window is over is a message of its own, and counts") { fixture in
            let file = StoredFile.test(in: fixture.room)
            try await fixture.withStore { store in
                let files = fixture.files(of: store)
                await files.add(file)
                _ = await store.append([fixture.attach(1, file.id)])
                fixture.time.advance(by: day)
                #expect(await store.append([fixture.attach(1, file.id)]).map(\.position?.offset) == [2])
                #expect(await files.use(of: file.id)?.count == 2)
            }
        },
        DurableStoreContract("retention lets go of the files of what it takes, and of no more") { fixture in
            let (old, both, gone) = (
                StoredFile.test(in: fixture.room), StoredFile.test(in: fixture.room), StoredFile.test(in: fixture.room)
            )
            let elsewhere = RoomID(tenant: fixture.room.tenant, name: .named("other"))
            let other = StoredFile.test(in: elsewhere)
            try await fixture.withStore(Retention(messagesPerRoomMax: 2)) { store in
                let files = fixture.files(of: store)
                for file in [old, both, gone, other] { await files.add(file) }
                _ = await store.append([
                    fixture.attach(1, old.id), fixture.attach(2, old.id), fixture.attach(3, both.id),
                    fixture.attach(4, gone.id), fixture.attach(5, both.id), fixture.draft(6),
                    fixture.attach(1, other.id, in: elsewhere),
                ])
                await files.remove(gone.id)
                fixture.time.advance(by: 5)
                try await store.sweep()
                let page = try await fixture.read(of: store)
                #expect(page.messages.map(\.offset) == [5, 6])
                #expect(page.messages.first?.files == [AttachedFile(both)])
                #expect(await files.use(of: old.id) == FileUse(count: 0, unusedSince: fixture.time.wall))
                #expect(await files.use(of: both.id) == FileUse(count: 1, unusedSince: .ms(0)))
                #expect(await files.use(of: other.id)?.count == 1)
                // Removed messages are subtracted once.
                fixture.time.advance(by: 5)
                _ = await store.append([fixture.draft(7), fixture.draft(8)])
                try await store.sweep()
                #expect(await files.use(of: both.id) == FileUse(count: 0, unusedSince: fixture.time.wall))
                #expect(await files.use(of: old.id)?.count == 0)
            }
        },
        DurableStoreContract("what is sent and deleted at once counts right") { fixture in
            let file = StoredFile.test(in: fixture.room)
            try await fixture.withStore { store in
                let files = fixture.files(of: store)
                await files.add(file)
                await withTaskGroup(of: Void.self) { group in
                    for number in 1...40 {
                        group.addTask {
                            let outcome = await store.append([fixture.attach(number, file.id)]).first
                            guard number % 2 == 0, let offset = outcome?.position?.offset else { return }
                            _ = await store.append([fixture.draft(1000 + number), fixture.delete(offset)])
                        }
                    }
                }
                #expect(await files.use(of: file.id)?.count == 20)
                let page = try await fixture.read(of: store)
                #expect(page.messages.filter { !$0.files.isEmpty }.count == 20)
                #expect(page.messages.map(\.offset) == (1...80).map { UInt64($0) })
            }
        },
    ]
}

extension DurableStoreFixture {
    /// Everything from before messages could hold files is there, and new messages may hold some.
    func checkMigratedToFiles(_ store: any DurableMessageStore, _ before: HistoryPage) async throws {
        try await checkMigrated(store, before)
        let file = StoredFile.test(in: room)
        await files(of: store).add(file)
        #expect(await store.append([attach(8, file.id)]).map(\.position?.offset) == [8])
        try #expect(await read(of: store).messages.last?.files == [AttachedFile(file)])
        #expect(await files(of: store).use(of: file.id)?.count == 1)
    }

    func attach(_ id: Int, _ file: FileID, alt: AltText? = nil, in room: RoomID? = nil) -> MessageDraft {
        MessageDraft(
            room: room ?? self.room, id: .named("\(id)"), from: Member(user: .alice), receivedAt: time.wall,
            text: "text of \(id)", files: [FileReference(file, alt: alt)])
    }
}
