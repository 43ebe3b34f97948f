import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Messages with files, through a whole hub.
struct HubFilesTests {
    private let files = TestRoomFiles()

    private func withHub(
        _ files: TestRoomFiles?, _ body: (_ alice: HubClient, _ bob: HubClient) async throws -> Void
    ) async throws {
        let hub = Hub(store: InMemoryMessageStore(files: files))
        let alice = try await hub.connect(Credentials(user: .alice))
        let bob = try await hub.connect(Credentials(user: .bob))
        for client in [alice, bob] { try await client.join(.lobby) }
        try await body(alice, bob)
    }

    @Test func filesAreDeliveredAndInHistory() async throws {
        let file = StoredFile.test(in: .lobby, image: ImageProperties(width: 3, height: 4))
        files.add(file)
        try await withHub(files) { alice, bob in
            let reference = FileReference(file.id, alt: AltText("x"))
            let ack = try await alice.send("", to: .lobby, files: [reference])
            #expect(ack.position?.offset == 1)
            let held = [AttachedFile(file, alt: AltText("x"))]
            let message = await bob.nextMessage()
            #expect(message?.files == held)
            // From the room's tail, from the store, and after changes.
            let epoch = try #require(ack.position?.epoch)
            let start = Position(epoch: epoch, offset: 0)
            try #expect(await bob.join(.lobby, since: start).messages.map(\.files) == [held])
            try #expect(await bob.join(.lobby, limit: 5).messages.map(\.files) == [held])
            try await bob.react(.thumb, to: 1, in: .lobby)
            try await alice.edit(1, in: .lobby, to: "words")
            let tail = try await bob.join(.lobby, since: start).messages
            #expect(tail.map(\.files) == [held, [], []])
            #expect(tail.first?.text == "words")
            try await alice.delete(1, in: .lobby)
            for since in [start, nil] {
                let joined = try await bob.join(.lobby, since: since, limit: 10)
                #expect(joined.messages.flatMap(\.files) == [])
                #expect(joined.messages.count == 4)
            }
        }
        #expect(files.use(of: file.id)?.count == 0)
    }

    @Test func directConversationsHaveFiles() async throws {
        let (own, lobby) = (StoredFile.test(in: .named("dm:alice:bob")), StoredFile.test(in: .lobby))
        for file in [own, lobby] { files.add(file) }
        try await withHub(files) { alice, bob in
            try await alice.whisper("look", to: .bob, files: [FileReference(own.id)])
            #expect(await bob.nextMessage()?.files == [AttachedFile(own)])
            await #expect(throws: noSuchFile) {
                try await alice.whisper("look", to: .bob, files: [FileReference(lobby.id)])
            }
        }
    }

    @Test(arguments: [true, false]) func missingFileIsRefused(hasFiles: Bool) async throws {
        try await withHub(hasFiles ? files : nil) { alice, bob in
            await #expect(throws: noSuchFile) {
                try await alice.send("look", to: .lobby, files: [FileReference(.random())])
            }
            try await alice.send("no file", to: .lobby)
            let message = await bob.nextMessage()
            #expect(message?.offset == 1)
            #expect(message?.text == "no file")
        }
    }

    private var noSuchFile: HubClient.Failure {
        .refused(.notFound, message: "There is no such file in this room.", retryAfter: nil)
    }
}
