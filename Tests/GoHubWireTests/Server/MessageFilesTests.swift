import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Messages with files, over real sockets.
@Suite struct MessageFilesTests {
    private let files = TestRoomFiles()

    private func add(_ name: String, in room: RoomID = .lobby) async -> StoredFile {
        let file = StoredFile.test(
            name, in: room, size: 9, image: ImageProperties(width: 4, height: 3, placeholder: "p", hasPreview: true))
        files.add(file)
        return file
    }

    private func json(_ file: StoredFile, alt: String = "") -> String {
        #"{"id":"\#(file.id)","name":"\#(file.name)","type":"image/png","size":9,"width":4,"height":3,"#
            + #""placeholder":"p","preview":true\#(alt)}"#
    }

    @Test(arguments: [false, true]) func filesReachMembersAndLaterReaders(isTLS: Bool) async throws {
        let (one, two) = (await add("one.png"), await add("two.png"))
        let store = InMemoryMessageStore(files: files)
        try await ServerFixture.run(isTLS: isTLS, store: store, configure: { $0.loops = 2 }) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            try await alice.send(
                #"{"op":"send","id":"1","room":"lobby","text":"","files":[{"id":"\#(two.id)","alt":"a \u0022cat\u0022"},"#
                    + #"{"id":"\#(one.id)"}]}"#)
            let listed = #""text":"","files":[\#(json(two, alt: #","alt":"a \"cat\"""#)),\#(json(one))]}"#
            let message = try await bob.expect("message")
            #expect(message.text.hasSuffix(listed), "\(message.text)")
            let epoch: String = try #require(try await alice.expect("ack")["epoch"])
            for join in [
                #"{"op":"join","id":"j","room":"lobby","since":{"epoch":"\#(epoch)","offset":0}}"#,
                #"{"op":"join","id":"j","room":"lobby","limit":5}"#,
            ] {
                let carol = try await fixture.connect()
                try await carol.hello("carol")
                try await carol.send(join)
                #expect(try await carol.expect("joined").text.contains(listed))
                try await carol.send(#"{"op":"history","id":"h","room":"lobby"}"#)
                #expect(try await carol.expect("page").text.contains(listed))
            }
            try await alice.send(#"{"op":"delete","id":"2","room":"lobby","offset":1}"#)
            _ = try await bob.expect("deleted")
            try await bob.send(#"{"op":"history","id":"h","room":"lobby"}"#)
            let page = try await bob.expect("page").text
            #expect(!page.contains("files"))
            #expect(!page.contains(one.id.value))
        }
        for file in [one, two] { #expect(files.use(of: file.id)?.count == 0) }
    }

    @Test func invalidFileReferenceIsRefused() async throws {
        let (file, other) = (await add("one.png"), await add("two.png", in: .named("other")))
        let store = InMemoryMessageStore(files: files)
        try await ServerFixture.run(store: store) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            for (number, (fields, code)) in [
                (#""text":"x","files":[{"id":"\#(other.id)"}]"#, "not_found"),
                (#""text":"x","files":[{"id":"\#(file.id)"},{"id":"\#(FileID.random())"}]"#, "not_found"),
                (#""text":"","files":[{"id":"\#(file.id)"},{"id":"\#(file.id)"}]"#, "bad_request"),
                (#""text":"/me x","files":[{"id":"\#(file.id)"}]"#, "bad_request"),
                (#""text":"x","ephemeral":true,"files":[{"id":"\#(file.id)"}]"#, "bad_request"),
            ].enumerated() {
                try await alice.send(#"{"op":"send","id":"\#(number)","room":"lobby",\#(fields)}"#)
                let error = try await alice.expect("error")
                #expect(error["code"] == code, "\(fields)")
                #expect(error["id"] == "\(number)")
            }
            try await alice.say("no file", in: "lobby", id: "last")
            let message = try await bob.expect("message")
            #expect(message["offset"] == 1)
            #expect(!message.text.contains("files"))
        }
        #expect(files.use(of: file.id) == FileUse(count: 0, unusedSince: .ms(0)))
    }
}
