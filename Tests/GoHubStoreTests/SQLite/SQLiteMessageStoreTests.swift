import Glibc
import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

struct SQLiteMessageStoreTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("hub.sqlite") }

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(arguments: MessageStoreContract.checks)
    func keepsTheContract(_ check: MessageStoreContract) async throws {
        let store = try SQLiteMessageStore(path: path)
        await check.run(on: store)
        await store.close()
    }

    @Test(arguments: DurableStoreContract.checks)
    func keepsTheContractOverTime(_ check: DurableStoreContract) async throws {
        try await check.run { [path] in try SQLiteMessageStore(path: path, settings: $0) }
    }

    @Test func aNewFileHasNewEpochs() async throws {
        var epochs: Set<Epoch> = []
        for name in ["one", "two"] {
            let bench = DurableBench { [directory] in try SQLiteMessageStore(path: directory.file(name), settings: $0) }
            epochs.insert(try await bench.withStore { try await bench.read(of: $0).head.epoch })
        }
        #expect(epochs.count == 2)
    }

    @Test func manyReadersAndWritersAtOnceSeeOneOrder() async throws {
        let bench = DurableBench { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await bench.withStore { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<50 {
                            _ = await bench.append((writer * 100 + number)...(writer * 100 + number), to: store)
                        }
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        var seen: [StoredMessage] = []
                        while seen.count < 200 {
                            let page = try await bench.read(.after(seen.last?.offset ?? 0), of: store)
                            seen += page.messages
                            #expect(page.head.offset == UInt64(seen.count), "a page leads up to its head")
                        }
                        #expect(seen.map(\.offset) == (1...200).map { UInt64($0) })
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func onlyItsOwnerCanReadTheFiles() async throws {
        let store = try SQLiteMessageStore(path: path)
        _ = await store.append([
            MessageDraft(room: .lobby, id: .named("a"), from: Member(user: .alice), receivedAt: .ms(0), text: "secret")
        ])
        for name in ["hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm", "hub.sqlite-lock"] {
            var status = stat()
            #expect(stat(directory.file(name), &status) == 0, "\(name)")
            #expect(status.st_mode & 0o777 == 0o600, "\(name)")
        }
        await store.close()
    }

    @Test func theBoundOfTheFileFailsAppendsUntilThereIsSpace() async throws {
        let bench = DurableBench { [path] in
            try SQLiteMessageStore(path: path, options: .init(bytesMax: 200_000), settings: $0)
        }
        try await bench.withStore(Retention(messagesPerRoomMax: 1)) { store in
            var id = 0
            var stored: [AppendOutcome] = []
            var failure: AppendOutcome?
            while failure == nil, id < 1000 {
                id += 1
                let draft = bench.draft(id, text: String(repeating: "x", count: 4000))
                let outcome = await store.append([draft])
                if outcome.first?.position == nil { failure = outcome.first } else { stored += outcome }
            }
            guard case .failed(let error)? = failure else { throw TemporaryDirectory.Failure(what: "never full") }
            #expect(error.message.contains("there is no space left"))
            #expect(stored.count > 10)
            let page = try await bench.read(of: store)
            #expect(page.messages.map(\.offset) == stored.map(\.offset), "what was acknowledged, and nothing else")
            try await store.sweep()
            // The failed one is not half there: its retry is new, and takes the next offset.
            let retry = await bench.append(id...id, to: store)
            #expect(retry.map(\.isDuplicate) == [false])
            #expect(retry.map(\.offset) == [UInt64(stored.count) + 1])
        }
    }
}
