internal import GoHubCore
internal import Testing

// MARK: Attaching

let attachingChecks: [MessageStoreContract] = [
    MessageStoreContract("a message holds its files as they are, in its sender's order") { bench in
        let image = ImageProperties(width: 640, height: 480, placeholder: "a/+=", hasPreview: true)
        let one = await bench.file("päth.png", image: image)
        let two = await bench.file("b.pdf", type: .pdf, size: .max / 2)
        let alt = AltText("a \"cat\"\u{200F} é")
        let draft = bench.attach("a", [FileReference(two.id), FileReference(one.id, alt: alt)])
        let files = [AttachedFile(two), AttachedFile(one, alt: alt)]
        let outcomes = await bench.append(draft)
        let epoch = outcomes.first?.position?.epoch
        #expect(outcomes == [.attached(bench.at(1, epoch), at: .ms(7), files)])
        let message = await bench.read(.newest)?.messages.first
        #expect(message?.files == files)
        #expect(message?.files.last?.alt == alt)
        #expect(message?.text == "text of a")
        #expect(message?.offset == 1)
        #expect(message?.amendments == nil)
        #expect(await bench.read(.after(0))?.messages.first == message)
        for file in [one, two] { #expect(await bench.files.use(of: file.id)?.count == 1) }
        // The user's rooms show it as well.
        if let epoch {
            let note = ReceiptNote(room: bench.room(), epoch: epoch, user: .alice, Receipt(seen: 1))
            _ = await bench.store.store([note])
        }
        let request = RoomsRequest(
            user: UserKey(tenant: bench.tenant, user: .alice), grants: .participant, roomsMax: 10, bytesMax: 10_000)
        let rooms = try? await bench.store.read(request).get().rooms
        #expect(rooms?.map(\.last) == [message])
    },
    MessageStoreContract("a message may have files and no text, answer another, and share its files") { bench in
        let file = await bench.file()
        _ = await bench.append(bench.draft("1"))
        let drafts = ["a", "b"].map { bench.attach($0, [FileReference(file.id)], text: "", replyTo: 1) }
        #expect(await bench.store.append(drafts).map(\.offset) == [2, 3])
        let page = await bench.read(.after(1))
        #expect(page?.messages.map(\.text) == ["", ""])
        #expect(page?.messages.map(\.replyTo) == [1, 1])
        #expect(page?.messages.map(\.files) == [[AttachedFile(file)], [AttachedFile(file)]])
        #expect(await bench.files.use(of: file.id)?.count == 2)
    },
    MessageStoreContract("a file that isn't there, or is another room's, is refused, and nothing is stored") { bench in
        let (here, elsewhere) = (await bench.file(), await bench.file(in: "other"))
        let tenant = TenantID.named("x\(UInt64.random(in: .min ... .max))")
        let foreign = StoredFile.test(in: RoomID(tenant: tenant, name: .named("room")))
        await bench.files.add(foreign)
        for (number, bad) in [elsewhere.id, foreign.id, FileID.random()].enumerated() {
            let draft = bench.attach("\(number)", [FileReference(here.id), FileReference(bad)])
            #expect(await bench.append(draft) == [.refused(.fileNotFound)])
        }
        #expect(await bench.read(.newest)?.head.offset == 0)
        #expect(await bench.read(.newest)?.messages == [])
        for file in [here, elsewhere, foreign] {
            #expect(await bench.files.use(of: file.id) == FileUse(count: 0, unusedSince: .ms(0)))
        }
        // The same id may be tried again.
        #expect(await bench.append(bench.attach("0", [FileReference(here.id)])).map(\.offset) == [1])
        await bench.files.remove(foreign.id)
    },
    MessageStoreContract("a repeat of a message with files is told the first one's place, and holds nothing") { bench in
        let file = await bench.file()
        let draft = bench.attach("a", [FileReference(file.id)])
        let first = await bench.append(draft, draft)
        #expect(first.map(\.offset) == [1, 1])
        #expect(first.map(\.isDuplicate) == [false, true])
        #expect(await bench.append(draft).map(\.isDuplicate) == [true])
        // Also as one without files, and when the file is gone.
        #expect(await bench.append(bench.draft("a")).map(\.isDuplicate) == [true])
        #expect(await bench.files.use(of: file.id)?.count == 1)
        await bench.files.remove(file.id)
        #expect(await bench.append(draft).map(\.isDuplicate) == [true])
        // And the other way round.
        _ = await bench.append(bench.draft("b"))
        let other = await bench.file()
        #expect(await bench.append(bench.attach("b", [FileReference(other.id)])).map(\.isDuplicate) == [true])
        #expect(await bench.files.use(of: other.id)?.count == 0)
        #expect(await bench.read(.newest)?.head.offset == 2)
    },
    MessageStoreContract("messages with files keep their place among others in one batch") { bench in
        let (file, other) = (await bench.file(), await bench.file(in: "other"))
        let holds = [FileReference(file.id)]
        let outcomes = await bench.append(
            bench.draft("a"), bench.attach("b", holds), bench.draft("c"), bench.react(.thumb, to: 2),
            bench.attach("d", holds), bench.attach("z", [FileReference(other.id)], in: "other"),
            bench.attach("e", [FileReference(other.id)]), bench.edit(5, to: "edited"), bench.draft("f"),
            bench.delete(5), bench.attach("g", holds), bench.draft("y", in: "other"), bench.delete(1, in: "other"))
        #expect(outcomes.map(\.offset) == [1, 2, 3, 4, 5, 1, nil, 6, 7, 8, 9, 2, 3])
        #expect(outcomes[6] == .refused(.fileNotFound))
        let page = await bench.read(.newest)
        #expect(page?.messages.map(\.offset) == (1...9).map { UInt64($0) })
        #expect(page?.messages.map(\.files.count) == [0, 1, 0, 0, 0, 0, 0, 0, 1])
        #expect(
            page?.messages.map(\.text)
                == ["text of a", "text of b", "text of c", "", "", "", "text of f", "", "text of g"])
        #expect(page?.messages[1].amendments?.reactions == [.init(.thumb, count: 1, users: [.alice])])
        #expect(await bench.files.use(of: file.id)?.count == 2)
        #expect(await bench.files.use(of: other.id)?.count == 0)
        #expect(await bench.append(bench.draft("next")).map(\.offset) == [10])
    },
    MessageStoreContract("what facts make of a message leaves its files") { bench in
        let file = await bench.file()
        _ = await bench.append(bench.attach("a", [FileReference(file.id, alt: AltText("x"))]))
        let files = [AttachedFile(file, alt: AltText("x"))]
        _ = await bench.append(bench.edit(1, to: "new"))
        _ = await bench.append(bench.react(.heart, to: 1, from: "bob"))
        let message = await bench.read(.newest)?.messages.first
        #expect(message?.files == files)
        #expect(message?.text == "new")
        #expect(message?.amendments?.edited?.offset == 2)
        #expect(message?.amendments?.reactions == [.init(.heart, count: 1, users: [.bob])])
        #expect(await bench.read(.newest)?.messages.dropFirst().flatMap(\.files) == [], "facts hold nothing")
        // Nor does a file that is deleted.
        await bench.files.remove(file.id)
        #expect(await bench.read(.newest)?.messages.first?.files == files)
        _ = await bench.append(bench.edit(1, to: "newer"))
        #expect(await bench.read(.newest)?.messages.first?.files == files)
    },
    MessageStoreContract("what is said of files counts in a page's bytes") { bench in
        let files = [await bench.file(), await bench.file()]
        let words = AltText(String(repeating: "x", count: AltText.bytesMax))
        let holds = files.map { FileReference($0.id, alt: words) }
        for id in ["1", "2", "3", "4"] { _ = await bench.append(bench.attach(id, holds, text: "x")) }
        let one = await bench.read(.newest)?.messages.first?.answerBytes ?? 0
        #expect(one > 2 * AltText.bytesMax)
        for (bytesMax, count) in [(one - 1, 1), (2 * one - 1, 1), (2 * one, 2), (4 * one, 4)] {
            for range in [HistoryRange.newest, .after(0)] {
                let page = await bench.read(range, bytesMax: bytesMax)
                #expect(page?.messages.count == count, "\(range), \(bytesMax)")
                #expect(page?.more == (count < 4), "\(range), \(bytesMax)")
            }
        }
    },
]

// MARK: Letting go

let releaseChecks: [MessageStoreContract] = [
    MessageStoreContract("a deleted message holds nothing, and lets go of its files") { bench in
        let (one, two) = (await bench.file(), await bench.file())
        _ = await bench.append(bench.attach("a", [FileReference(one.id), FileReference(two.id)]), bench.draft("b"))
        _ = await bench.append(bench.attach("c", [FileReference(two.id)]))
        // Who may not delete it changes nothing.
        #expect(await bench.append(bench.delete(1, from: "bob")) == [.refused(.forbidden)])
        #expect(await bench.files.use(of: one.id)?.count == 1)
        #expect(await bench.append(bench.delete(1)).map(\.offset) == [4])
        let page = await bench.read(.newest)
        #expect(page?.messages.map(\.files.count) == [0, 0, 1, 0])
        #expect(page?.messages.first?.amendments == Amendments(deleted: .init(offset: 4, at: .ms(7))))
        #expect(await bench.files.use(of: one.id)?.count == 0)
        #expect(await bench.files.use(of: one.id)?.unusedSince != .ms(0), "from the deletion on")
        #expect(await bench.files.use(of: two.id) == FileUse(count: 1, unusedSince: .ms(0)), "another holds it")
        // Once is enough.
        #expect(await bench.append(bench.delete(1), bench.delete(3)).map(\.offset) == [nil, 5])
        #expect(await bench.files.use(of: two.id)?.count == 0)
        #expect(await bench.files.use(of: two.id)?.unusedSince != .ms(0))
    },
    MessageStoreContract("a message whose file is gone can be deleted, and another may hold what is left") { bench in
        let (gone, left) = (await bench.file(), await bench.file())
        _ = await bench.append(bench.attach("a", [FileReference(gone.id), FileReference(left.id)]))
        await bench.files.remove(gone.id)
        #expect(await bench.append(bench.delete(1)).map(\.offset) == [2])
        #expect(await bench.files.use(of: gone.id) == nil)
        #expect(await bench.files.use(of: left.id)?.count == 0)
        #expect(await bench.append(bench.attach("b", [FileReference(gone.id)])) == [.refused(.fileNotFound)])
        #expect(await bench.append(bench.attach("c", [FileReference(left.id)])).map(\.offset) == [3])
        #expect(await bench.files.use(of: left.id)?.count == 1)
    },
]

extension Bench {
    /// A file that messages in the room may hold.
    func file(
        _ name: String = "a.png", in room: String = "room", type: FileType = .png, size: UInt64 = 7,
        image: ImageProperties? = nil
    ) async -> StoredFile {
        let file = StoredFile.test(name, in: self.room(room), type: type, size: size, image: image)
        await files.add(file)
        return file
    }

    func attach(
        _ id: String, _ files: [FileReference], in room: String = "room", text: String? = nil, replyTo: Offset? = nil
    ) -> MessageDraft {
        MessageDraft(
            room: self.room(room), id: .named(id), from: Member(user: .alice), receivedAt: .ms(7),
            text: text ?? "text of \(id)", replyTo: replyTo, files: files)
    }
}
