internal import GoHubCore
internal import Testing

// MARK: Attaching

let attachingChecks: [MessageStoreContract] = [
    MessageStoreContract("a message holds its files as they are, in its sender's order") { fixture in
        let image = ImageProperties(width: 640, height: 480, placeholder: "a/+=", hasPreview: true)
        let one = await fixture.file("päth.png", image: image)
        let two = await fixture.file("b.pdf", type: .pdf, size: .max / 2)
        let alt = AltText("a \"cat\"\u{200F} é")
        let draft = fixture.attach("a", [FileReference(two.id), FileReference(one.id, alt: alt)])
        let files = [AttachedFile(two), AttachedFile(one, alt: alt)]
        let outcomes = await fixture.append(draft)
        let epoch = outcomes.first?.position?.epoch
        #expect(outcomes == [.attached(fixture.at(1, epoch), at: .ms(7), files)])
        let message = await fixture.read(.newest)?.messages.first
        #expect(message?.files == files)
        #expect(message?.files.last?.alt == alt)
        #expect(message?.text == "text of a")
        #expect(message?.offset == 1)
        #expect(message?.amendments == nil)
        #expect(await fixture.read(.after(0))?.messages.first == message)
        for file in [one, two] { #expect(await fixture.files.use(of: file.id)?.count == 1) }
        // The user's rooms show it, too.
        if let epoch {
            let note = ReceiptNote(room: fixture.room(), epoch: epoch, user: .alice, Receipt(seen: 1))
            _ = await fixture.store.store([note])
        }
        let request = RoomsRequest(
            user: UserKey(tenant: fixture.tenant, user: .alice), grants: .participant, roomsMax: 10, bytesMax: 10_000)
        let rooms = try? await fixture.store.read(request).get().rooms
        #expect(rooms?.map(\.last) == [message])
    },
    MessageStoreContract("a message may have files and no text, answer another, and share its files") { fixture in
        let file = await fixture.file()
        _ = await fixture.append(fixture.draft("1"))
        let drafts = ["a", "b"].map { fixture.attach($0, [FileReference(file.id)], text: "", replyTo: 1) }
        #expect(await fixture.store.append(drafts).map(\.offset) == [2, 3])
        let page = await fixture.read(.after(1))
        #expect(page?.messages.map(\.text) == ["", ""])
        #expect(page?.messages.map(\.replyTo) == [1, 1])
        #expect(page?.messages.map(\.files) == [[AttachedFile(file)], [AttachedFile(file)]])
        #expect(await fixture.files.use(of: file.id)?.count == 2)
    },
    MessageStoreContract("a file that isn't there, or is another room's, is refused, and nothing is stored") {
        fixture in
        let (here, elsewhere) = (await fixture.file(), await fixture.file(in: "other"))
        let tenant = TenantID.named("x\(UInt64.random(in: .min ... .max))")
        let foreign = StoredFile.test(in: RoomID(tenant: tenant, name: .named("room")))
        await fixture.files.add(foreign)
        for (number, bad) in [elsewhere.id, foreign.id, FileID.random()].enumerated() {
            let draft = fixture.attach("\(number)", [FileReference(here.id), FileReference(bad)])
            #expect(await fixture.append(draft) == [.refused(.fileNotFound)])
        }
        #expect(await fixture.read(.newest)?.head.offset == 0)
        #expect(await fixture.read(.newest)?.messages == [])
        for file in [here, elsewhere, foreign] {
            #expect(await fixture.files.use(of: file.id) == FileUse(count: 0, unusedSince: .ms(0)))
        }
        // The same id may be retried.
        #expect(await fixture.append(fixture.attach("0", [FileReference(here.id)])).map(\.offset) == [1])
        await fixture.files.remove(foreign.id)
    },
    MessageStoreContract("a repeat of a message with files is told the first one's place, and holds nothing") {
        fixture in
        let file = await fixture.file()
        let draft = fixture.attach("a", [FileReference(file.id)])
        let first = await fixture.append(draft, draft)
        #expect(first.map(\.offset) == [1, 1])
        #expect(first.map(\.isDuplicate) == [false, true])
        #expect(await fixture.append(draft).map(\.isDuplicate) == [true])
        // Also as a message without files, and after the file is gone.
        #expect(await fixture.append(fixture.draft("a")).map(\.isDuplicate) == [true])
        #expect(await fixture.files.use(of: file.id)?.count == 1)
        await fixture.files.remove(file.id)
        #expect(await fixture.append(draft).map(\.isDuplicate) == [true])
        // The reverse holds, too.
        _ = await fixture.append(fixture.draft("b"))
        let other = await fixture.file()
        #expect(await fixture.append(fixture.attach("b", [FileReference(other.id)])).map(\.isDuplicate) == [true])
        #expect(await fixture.files.use(of: other.id)?.count == 0)
        #expect(await fixture.read(.newest)?.head.offset == 2)
    },
    MessageStoreContract("messages with files keep their place among others in one batch") { fixture in
        let (file, other) = (await fixture.file(), await fixture.file(in: "other"))
        let holds = [FileReference(file.id)]
        let outcomes = await fixture.append(
            fixture.draft("a"), fixture.attach("b", holds), fixture.draft("c"), fixture.react(.thumb, to: 2),
            fixture.attach("d", holds), fixture.attach("z", [FileReference(other.id)], in: "other"),
            fixture.attach("e", [FileReference(other.id)]), fixture.edit(5, to: "edited"), fixture.draft("f"),
            fixture.delete(5), fixture.attach("g", holds), fixture.draft("y", in: "other"),
            fixture.delete(1, in: "other"))
        #expect(outcomes.map(\.offset) == [1, 2, 3, 4, 5, 1, nil, 6, 7, 8, 9, 2, 3])
        #expect(outcomes[6] == .refused(.fileNotFound))
        let page = await fixture.read(.newest)
        #expect(page?.messages.map(\.offset) == (1...9).map { UInt64($0) })
        #expect(page?.messages.map(\.files.count) == [0, 1, 0, 0, 0, 0, 0, 0, 1])
        #expect(
            page?.messages.map(\.text)
                == ["text of a", "text of b", "text of c", "", "", "", "text of f", "", "text of g"])
        #expect(page?.messages[1].amendments?.reactions == [.init(.thumb, count: 1, users: [.alice])])
        #expect(await fixture.files.use(of: file.id)?.count == 2)
        #expect(await fixture.files.use(of: other.id)?.count == 0)
        #expect(await fixture.append(fixture.draft("next")).map(\.offset) == [10])
    },
    MessageStoreContract("what facts make of a message leaves its files") { fixture in
        let file = await fixture.file()
        _ = await fixture.append(fixture.attach("a", [FileReference(file.id, alt: AltText("x"))]))
        let files = [AttachedFile(file, alt: AltText("x"))]
        _ = await fixture.append(fixture.edit(1, to: "new"))
        _ = await fixture.append(fixture.react(.heart, to: 1, from: "bob"))
        let message = await fixture.read(.newest)?.messages.first
        #expect(message?.files == files)
        #expect(message?.text == "new")
        #expect(message?.amendments?.edited?.offset == 2)
        #expect(message?.amendments?.reactions == [.init(.heart, count: 1, users: [.bob])])
        #expect(await fixture.read(.newest)?.messages.dropFirst().flatMap(\.files) == [], "facts hold nothing")
        // A deleted file can't be attached either.
        await fixture.files.remove(file.id)
        #expect(await fixture.read(.newest)?.messages.first?.files == files)
        _ = await fixture.append(fixture.edit(1, to: "newer"))
        #expect(await fixture.read(.newest)?.messages.first?.files == files)
    },
    MessageStoreContract("what is said of files counts in a page's bytes") { fixture in
        let files = [await fixture.file(), await fixture.file()]
        let words = AltText(String(repeating: "x", count: AltText.bytesMax))
        let holds = files.map { FileReference($0.id, alt: words) }
        for id in ["1", "2", "3", "4"] { _ = await fixture.append(fixture.attach(id, holds, text: "x")) }
        let one = await fixture.read(.newest)?.messages.first?.answerBytes ?? 0
        #expect(one > 2 * AltText.bytesMax)
        for (bytesMax, count) in [(one - 1, 1), (2 * one - 1, 1), (2 * one, 2), (4 * one, 4)] {
            for range in [HistoryRange.newest, .after(0)] {
                let page = await fixture.read(range, bytesMax: bytesMax)
                #expect(page?.messages.count == count, "\(range), \(bytesMax)")
                #expect(page?.more == (count < 4), "\(range), \(bytesMax)")
            }
        }
    },
]

// MARK: Releasing

let releaseChecks: [MessageStoreContract] = [
    MessageStoreContract("a deleted message holds nothing, and lets go of its files") { fixture in
        let (one, two) = (await fixture.file(), await fixture.file())
        _ = await fixture.append(
            fixture.attach("a", [FileReference(one.id), FileReference(two.id)]), fixture.draft("b"))
        _ = await fixture.append(fixture.attach("c", [FileReference(two.id)]))
        // A user who may not delete the message changes nothing.
        #expect(await fixture.append(fixture.delete(1, from: "bob")) == [.refused(.forbidden)])
        #expect(await fixture.files.use(of: one.id)?.count == 1)
        #expect(await fixture.append(fixture.delete(1)).map(\.offset) == [4])
        let page = await fixture.read(.newest)
        #expect(page?.messages.map(\.files.count) == [0, 0, 1, 0])
        #expect(page?.messages.first?.amendments == Amendments(deleted: .init(offset: 4, at: .ms(7))))
        #expect(await fixture.files.use(of: one.id)?.count == 0)
        #expect(await fixture.files.use(of: one.id)?.unusedSince != .ms(0), "from the deletion on")
        #expect(await fixture.files.use(of: two.id) == FileUse(count: 1, unusedSince: .ms(0)), "another holds it")
        // One deletion suffices.
        #expect(await fixture.append(fixture.delete(1), fixture.delete(3)).map(\.offset) == [nil, 5])
        #expect(await fixture.files.use(of: two.id)?.count == 0)
        #expect(await fixture.files.use(of: two.id)?.unusedSince != .ms(0))
    },
    MessageStoreContract("a message whose file is gone can be deleted, and another may hold what is left") { fixture in
        let (gone, left) = (await fixture.file(), await fixture.file())
        _ = await fixture.append(fixture.attach("a", [FileReference(gone.id), FileReference(left.id)]))
        await fixture.files.remove(gone.id)
        #expect(await fixture.append(fixture.delete(1)).map(\.offset) == [2])
        #expect(await fixture.files.use(of: gone.id) == nil)
        #expect(await fixture.files.use(of: left.id)?.count == 0)
        #expect(await fixture.append(fixture.attach("b", [FileReference(gone.id)])) == [.refused(.fileNotFound)])
        #expect(await fixture.append(fixture.attach("c", [FileReference(left.id)])).map(\.offset) == [3])
        #expect(await fixture.files.use(of: left.id)?.count == 1)
    },
]

extension StoreFixture {
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
