import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

extension DurableStoreContract {
    static let fileChecks: [DurableStoreContract] = [
        DurableStoreContract("what messages hold is there when it is opened again, and counts") { bench in
            let image = ImageProperties(width: 1, height: 2, placeholder: "p", hasPreview: true)
            let file = StoredFile.test("ä.png", in: bench.room, image: image)
            let alt = AltText("a \"cat\"")
            let before = try await bench.withStore { store in
                let files = bench.files(of: store)
                await files.add(file)
                let outcomes = await store.append([
                    bench.attach(1, file.id, alt: alt), bench.draft(2), bench.attach(3, file.id), bench.delete(3),
                    bench.edit(1, to: "new"),
                ])
                #expect(outcomes.map(\.position?.offset) == [1, 2, 3, 4, 5])
                return try await bench.read(of: store)
            }
            #expect(before.messages.map(\.files) == [[AttachedFile(file, alt: alt)], [], [], [], []])
            try await bench.withStore { store in
                try #expect(await bench.read(of: store) == before)
                #expect(await bench.files(of: store).use(of: file.id)?.count == 1)
                // A repeat is known, and counts nothing.
                #expect(await store.append([bench.attach(1, file.id)]).map(\.isDuplicate) == [true])
                bench.time.advance(by: 5)
                #expect(await store.append([bench.delete(1)]).map(\.position?.offset) == [6])
                let use = await bench.files(of: store).use(of: file.id)
                #expect(use == FileUse(count: 0, unusedSince: bench.time.wall))
            }
        },
        DurableStoreContract("an id whose window is over is a message of its own, and counts") { bench in
            let file = StoredFile.test(in: bench.room)
            try await bench.withStore { store in
                let files = bench.files(of: store)
                await files.add(file)
                _ = await store.append([bench.attach(1, file.id)])
                bench.time.advance(by: day)
                #expect(await store.append([bench.attach(1, file.id)]).map(\.position?.offset) == [2])
                #expect(await files.use(of: file.id)?.count == 2)
            }
        },
        DurableStoreContract("retention lets go of the files of what it takes, and of no more") { bench in
            let (old, both, gone) = (
                StoredFile.test(in: bench.room), StoredFile.test(in: bench.room), StoredFile.test(in: bench.room)
            )
            let elsewhere = RoomID(tenant: bench.room.tenant, name: .named("other"))
            let other = StoredFile.test(in: elsewhere)
            try await bench.withStore(Retention(messagesPerRoomMax: 2)) { store in
                let files = bench.files(of: store)
                for file in [old, both, gone, other] { await files.add(file) }
                _ = await store.append([
                    bench.attach(1, old.id), bench.attach(2, old.id), bench.attach(3, both.id),
                    bench.attach(4, gone.id), bench.attach(5, both.id), bench.draft(6),
                    bench.attach(1, other.id, in: elsewhere),
                ])
                await files.remove(gone.id)
                bench.time.advance(by: 5)
                try await store.sweep()
                let page = try await bench.read(of: store)
                #expect(page.messages.map(\.offset) == [5, 6])
                #expect(page.messages.first?.files == [AttachedFile(both)])
                #expect(await files.use(of: old.id) == FileUse(count: 0, unusedSince: bench.time.wall))
                #expect(await files.use(of: both.id) == FileUse(count: 1, unusedSince: .ms(0)))
                #expect(await files.use(of: other.id)?.count == 1)
                // What is gone is counted off once.
                bench.time.advance(by: 5)
                _ = await store.append([bench.draft(7), bench.draft(8)])
                try await store.sweep()
                #expect(await files.use(of: both.id) == FileUse(count: 0, unusedSince: bench.time.wall))
                #expect(await files.use(of: old.id)?.count == 0)
            }
        },
        DurableStoreContract("what is sent and deleted at once counts right") { bench in
            let file = StoredFile.test(in: bench.room)
            try await bench.withStore { store in
                let files = bench.files(of: store)
                await files.add(file)
                await withTaskGroup(of: Void.self) { group in
                    for number in 1...40 {
                        group.addTask {
                            let outcome = await store.append([bench.attach(number, file.id)]).first
                            guard number % 2 == 0, let offset = outcome?.position?.offset else { return }
                            _ = await store.append([bench.draft(1000 + number), bench.delete(offset)])
                        }
                    }
                }
                #expect(await files.use(of: file.id)?.count == 20)
                let page = try await bench.read(of: store)
                #expect(page.messages.filter { !$0.files.isEmpty }.count == 20)
                #expect(page.messages.map(\.offset) == (1...80).map { UInt64($0) })
            }
        },
    ]
}

extension DurableBench {
    /// All is there that was stored before messages could hold files, and what comes may hold some.
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
