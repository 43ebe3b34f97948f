public import GoHubCore
public import Testing

/// The contract of every `MessageStore`, one check at a time; the same for memory, SQLite and PostgreSQL.
///
/// ```swift
/// @Test(arguments: MessageStoreContract.checks)
/// func keepsTheContract(_ check: MessageStoreContract) async {
///     await check.run(on: InMemoryMessageStore())
/// }
/// ```
///
/// Each check works in its own tenant, so that all of them can run at once on one database.
public struct MessageStoreContract: Sendable, CustomTestStringConvertible {
    private let name: String
    private let body: @Sendable (StoreFixture) async -> Void

    public var testDescription: String { name }

    public func run(on store: any MessageStore) async {
        await body(StoreFixture(store: store))
    }

    /// - Parameter files: the files that the store's messages may hold.
    public func run(on store: any MessageStore, files: any TestFiles) async {
        await body(StoreFixture(store: store, files: files))
    }

    init(_ name: String, _ body: @escaping @Sendable (StoreFixture) async -> Void) {
        self.name = name
        self.body = body
    }

    public static let checks: [MessageStoreContract] =
        offsets + idempotency + pages + texts + receiptChecks + roomChecks + followingChecks + sanctionChecks
        + changeChecks + reactionChecks + headChecks
    /// The contract for messages that hold files; run it with `files`.
    public static let fileChecks: [MessageStoreContract] = attachingChecks + releaseChecks
}

/// A store and a room in it that nobody else uses.
struct StoreFixture {
    let store: any MessageStore
    var files: any TestFiles = NoFiles()
    let tenant = TenantID.named("t\(UInt64.random(in: .min ... .max))")

    func room(_ name: String = "room") -> RoomID { RoomID(tenant: tenant, name: .named(name)) }

    func draft(_ id: String, from user: String = "alice", in room: String = "room", text: String? = nil) -> MessageDraft
    {
        MessageDraft(
            room: self.room(room), id: .named(id), from: Member(user: .named(user)), receivedAt: .ms(7),
            text: text ?? "text of \(id)")
    }

    func append(_ drafts: MessageDraft...) async -> [AppendOutcome] { await store.append(drafts) }

    /// Appends messages `1` to `count` and returns the epoch.
    func fill(_ count: Int, text: String? = nil) async -> Epoch? {
        let outcomes = await store.append((1...count).map { draft("\($0)", text: text) })
        #expect(outcomes.map(\.offset) == (1...count).map { UInt64($0) })
        return outcomes.first?.position?.epoch
    }

    func read(
        _ range: HistoryRange, _ messagesMax: Int = 100, bytesMax: Int = 100_000, in room: String = "room"
    ) async -> HistoryPage? {
        let request = HistoryRequest(
            room: self.room(room), range: range, messagesMax: messagesMax, bytesMax: bytesMax)
        let result = await store.read(request)
        #expect(throws: Never.self) { try result.get() }
        return try? result.get()
    }
}

// MARK: Offsets

private let offsets: [MessageStoreContract] = [
    MessageStoreContract("an unused room has an epoch and the head 0") { fixture in
        let page = await fixture.read(.newest)
        #expect(page?.head.offset == 0)
        #expect(page?.head.epoch.value.isEmpty == false)
        #expect(page?.messages == [])
        #expect(page?.more == false)
        #expect(await fixture.read(.newest)?.head == page?.head)
    },
    MessageStoreContract("offsets count from 1 without a gap, over batches") { fixture in
        let before = await fixture.read(.newest)?.head.epoch
        let first = await fixture.append(fixture.draft("a"), fixture.draft("b"))
        let second = await fixture.append(fixture.draft("c"))
        #expect((first + second).map(\.offset) == [1, 2, 3])
        #expect(Set((first + second).map { $0.position?.epoch }) == [before])
    },
    MessageStoreContract("a batch for several rooms counts in each") { fixture in
        let outcomes = await fixture.append(
            fixture.draft("a", in: "one"), fixture.draft("b", in: "two"), fixture.draft("c", in: "one"),
            fixture.draft("d", in: "two"))
        #expect(outcomes.map(\.offset) == [1, 1, 2, 2])
        #expect(await fixture.read(.newest, in: "one")?.messages.map(\.id.value) == ["a", "c"])
        #expect(await fixture.read(.newest, in: "two")?.messages.map(\.id.value) == ["b", "d"])
    },
    MessageStoreContract("a batch of thousands counts in each of its rooms, repeats apart") { fixture in
        let rooms = ["one", "two", "three"]
        let numbers = (0..<3_000).map { $0 / 3 % 900 }
        let batch = numbers.indices.map { fixture.draft("\(numbers[$0])", in: rooms[$0 % 3]) }
        let outcomes = await fixture.store.append(batch)
        #expect(outcomes.map(\.offset) == numbers.map { UInt64($0) + 1 })
        #expect(outcomes.filter(\.isDuplicate).count == 300)
        for room in rooms { #expect(await fixture.read(.newest, 1, in: room)?.head.offset == 900) }
    },
    MessageStoreContract("an empty batch has no outcomes") { fixture in
        #expect(await fixture.append() == [])
    },
    MessageStoreContract("rooms of the same name in two tenants are two rooms") { fixture in
        let other = StoreFixture(store: fixture.store)
        _ = await fixture.append(fixture.draft("a"))
        #expect(await other.append(other.draft("b")).map(\.offset) == [1])
        #expect(await other.read(.newest)?.messages.map(\.id.value) == ["b"])
    },
    MessageStoreContract("many writers at once get each offset once") { fixture in
        let outcomes = await withTaskGroup(of: [AppendOutcome].self) { group in
            for writer in 0..<8 {
                group.addTask {
                    var outcomes: [AppendOutcome] = []
                    for number in 0..<10 {
                        outcomes += await fixture.append(fixture.draft("\(number)", from: "writer-\(writer)"))
                    }
                    return outcomes
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(outcomes.compactMap(\.offset).sorted() == (1...80).map { UInt64($0) })
        let page = await fixture.read(.newest, 200)
        #expect(page?.messages.map(\.offset) == (1...80).map { UInt64($0) })
        for writer in 0..<8 {
            let own = page?.messages.filter { $0.from.user.value == "writer-\(writer)" }.map(\.id.value)
            #expect(own == (0..<10).map { "\($0)" }, "each writer's messages keep their order")
        }
    },
]

// MARK: Idempotency

private let idempotency: [MessageStoreContract] = [
    MessageStoreContract("a repeat is told the first one's position and time, and isn't stored") { fixture in
        let first = await fixture.append(fixture.draft("a"))
        var again = fixture.draft("a", text: "another text")
        again.receivedAt = .ms(99_999)
        let second = await fixture.append(again)
        guard case .stored(let position, let at)? = first.first else {
            Issue.record("not stored: \(first)")
            return
        }
        #expect(second == [.duplicate(position, at: at)])
        #expect(await fixture.read(.newest)?.messages.map(\.text) == ["text of a"])
        #expect(await fixture.append(fixture.draft("b")).map(\.offset) == [2])
    },
    MessageStoreContract("a repeat inside one batch is one message") { fixture in
        let outcomes = await fixture.append(fixture.draft("a"), fixture.draft("b"), fixture.draft("a"))
        #expect(outcomes.map(\.offset) == [1, 2, 1])
        #expect(outcomes.map(\.isDuplicate) == [false, false, true])
        #expect(await fixture.read(.newest)?.messages.map(\.offset) == [1, 2])
    },
    MessageStoreContract("repeats among new messages leave no hole") { fixture in
        _ = await fixture.append(fixture.draft("a"), fixture.draft("b"))
        let outcomes = await fixture.append(
            fixture.draft("c"), fixture.draft("b"), fixture.draft("d"), fixture.draft("c"), fixture.draft("a"),
            fixture.draft("e"))
        #expect(outcomes.map(\.offset) == [3, 2, 4, 3, 1, 5])
        #expect(outcomes.map(\.isDuplicate) == [false, true, false, true, true, false])
        #expect(await fixture.read(.newest)?.messages.map(\.id.value) == ["a", "b", "c", "d", "e"])
        #expect(await fixture.read(.newest)?.head.offset == 5)
    },
    MessageStoreContract("a batch of repeats alone stores nothing") { fixture in
        let first = await fixture.append(fixture.draft("a"), fixture.draft("b"))
        let again = await fixture.append(fixture.draft("b"), fixture.draft("a"))
        #expect(again.map(\.position) == [first[1].position, first[0].position])
        #expect(again.map(\.isDuplicate) == [true, true])
        #expect(await fixture.read(.newest)?.head.offset == 2)
    },
    MessageStoreContract("an id belongs to its user and its room") { fixture in
        let outcomes = await fixture.append(
            fixture.draft("a", from: "alice"), fixture.draft("a", from: "bob"), fixture.draft("a", in: "elsewhere"))
        #expect(outcomes.map(\.isDuplicate) == [false, false, false])
    },
    MessageStoreContract("an id is compared by its bytes") { fixture in
        // One visible character in two spellings: composed and decomposed.
        let outcomes = await fixture.append(
            fixture.draft("\u{E9}"), fixture.draft("e\u{301}"), fixture.draft("A"), fixture.draft("a"))
        #expect(outcomes.map(\.offset) == [1, 2, 3, 4])
        #expect(outcomes.map(\.isDuplicate) == [false, false, false, false])
    },
    MessageStoreContract("a user is compared by the bytes of the id") { fixture in
        let users = ["\u{E9}", "e\u{301}", "E\u{301}", "\u{1F600}", "\u{1F600}\u{FE0F}"]
        let outcomes = await fixture.store.append(users.map { fixture.draft("a", from: $0) })
        #expect(outcomes.map(\.offset) == [1, 2, 3, 4, 5])
        let read = await fixture.read(.newest)?.messages.map { Array($0.from.user.value.utf8) }
        #expect(read == users.map { Array($0.utf8) })
        #expect(await fixture.append(fixture.draft("a", from: "e\u{301}")).map(\.offset) == [2])
    },
    MessageStoreContract("a conversation is compared by the bytes of its users") { fixture in
        var outcomes: [AppendOutcome] = []
        for user in ["\u{E9}", "e\u{301}"] {
            var draft = fixture.draft("a")
            draft.room = RoomID(tenant: fixture.tenant, name: .direct(.alice, .named(user)))
            outcomes += await fixture.append(draft)
        }
        #expect(outcomes.map(\.offset) == [1, 1])
        #expect(outcomes.map(\.isDuplicate) == [false, false])
    },
]

// MARK: Pages

private let pages: [MessageStoreContract] = [
    MessageStoreContract("the newest page ends at the head") { fixture in
        let epoch = await fixture.fill(10)
        let page = await fixture.read(.newest, 3)
        #expect(page?.messages.map(\.offset) == [8, 9, 10])
        #expect(page?.more == true)
        #expect(page?.head.offset == 10)
        #expect(page?.head.epoch == epoch)
        #expect(await fixture.read(.newest, 10)?.more == false)
        #expect(await fixture.read(.newest, 1)?.messages.map(\.offset) == [10])
    },
    MessageStoreContract("a page before an offset ends just before it") { fixture in
        _ = await fixture.fill(10)
        let page = await fixture.read(.before(8), 3)
        #expect(page?.messages.map(\.offset) == [5, 6, 7])
        #expect(page?.more == true)
        #expect(page?.head.offset == 10)
        let first = await fixture.read(.before(4), 3)
        #expect(first?.messages.map(\.offset) == [1, 2, 3])
        #expect(first?.more == false)
        for empty: Offset in [0, 1] {
            let page = await fixture.read(.before(empty))
            #expect(page?.messages == [])
            #expect(page?.more == false)
        }
        #expect(await fixture.read(.before(.max), 2)?.messages.map(\.offset) == [9, 10])
        #expect(await fixture.read(.before(11), 2)?.messages.map(\.offset) == [9, 10])
    },
    MessageStoreContract("a page after an offset starts just after it") { fixture in
        _ = await fixture.fill(10)
        let page = await fixture.read(.after(3), 3)
        #expect(page?.messages.map(\.offset) == [4, 5, 6])
        #expect(page?.more == true)
        #expect(page?.head.offset == 10)
        let last = await fixture.read(.after(7), 3)
        #expect(last?.messages.map(\.offset) == [8, 9, 10])
        #expect(last?.more == false)
        #expect(await fixture.read(.after(0), 2)?.messages.map(\.offset) == [1, 2])
        for empty: Offset in [10, 11, .max - 1, .max] {
            let page = await fixture.read(.after(empty))
            #expect(page?.messages == [])
            #expect(page?.more == false)
            #expect(page?.head.offset == 10)
        }
    },
    MessageStoreContract("a page of no messages tells the head and whether there are any") { fixture in
        #expect(await fixture.read(.newest, 0)?.more == false)
        _ = await fixture.fill(2)
        let page = await fixture.read(.newest, 0)
        #expect(page?.messages == [])
        #expect(page?.more == true)
        #expect(page?.head.offset == 2)
    },
    MessageStoreContract("pages back stay the same while messages arrive") { fixture in
        _ = await fixture.fill(10)
        let before = await fixture.read(.before(8), 4)
        _ = await fixture.append(fixture.draft("new"), fixture.draft("newer"))
        let after = await fixture.read(.before(8), 4)
        #expect(after?.messages == before?.messages)
        #expect(after?.more == before?.more)
        #expect(after?.head.offset == 12)
    },
    MessageStoreContract("pages forward and back cover the history once") { fixture in
        _ = await fixture.fill(23)
        var forward: [Offset] = []
        while let page = await fixture.read(.after(forward.last ?? 0), 5), !page.messages.isEmpty {
            forward += page.messages.map(\.offset)
            #expect(page.more == (forward.last != 23))
        }
        #expect(forward == (1...23).map { UInt64($0) })
        var back: [Offset] = []
        while let page = await fixture.read(.before(back.first ?? .max), 5), !page.messages.isEmpty {
            back = page.messages.map(\.offset) + back
            #expect(page.more == (back.first != 1))
        }
        #expect(back == forward)
    },
    MessageStoreContract("a page ends at its bytes, but holds one message") { fixture in
        _ = await fixture.fill(5, text: "éééée")
        let one = await fixture.read(.newest)?.messages.first?.answerBytes ?? 0
        #expect(await fixture.read(.after(0), bytesMax: 3 * one)?.messages.map(\.offset) == [1, 2, 3])
        #expect(await fixture.read(.after(0), bytesMax: 3 * one - 1)?.messages.map(\.offset) == [1, 2])
        #expect(await fixture.read(.after(0), bytesMax: 3 * one - 1)?.more == true)
        #expect(await fixture.read(.newest, bytesMax: 3 * one)?.messages.map(\.offset) == [3, 4, 5])
        #expect(await fixture.read(.before(5), bytesMax: 2 * one)?.messages.map(\.offset) == [3, 4])
        #expect(await fixture.read(.after(2), bytesMax: 1)?.messages.map(\.offset) == [3])
        #expect(await fixture.read(.newest, bytesMax: 1)?.messages.map(\.offset) == [5])
        #expect(await fixture.read(.after(4), bytesMax: 1)?.more == false)
    },
]

// MARK: Contents

/// The longest names in bytes, with the characters that are hardest to store.
private let longest = (user: String(repeating: "😀", count: 32), id: String(repeating: "%", count: 64))

private let texts: [MessageStoreContract] = [
    MessageStoreContract("a message comes back as it was") { fixture in
        let draft = MessageDraft(
            room: fixture.room("room"), id: .named("id: 'quoted' \"%s\" \\"),
            from: Member(user: .named("user:%/'"), name: "Näme 😀"), receivedAt: .ms(7),
            text: "line 1\nline 2\t\u{1}\u{7F} 'x'; -- $1 \\N 😀 e\u{301} \u{202E}", replyTo: 1)
        let outcomes = await fixture.append(fixture.draft("first"), draft)
        let page = await fixture.read(.after(1))
        guard let message = page?.messages.first, case .stored(_, let at)? = outcomes.last else {
            Issue.record("not stored")
            return
        }
        let expected = StoredMessage(
            offset: 2, id: draft.id, from: draft.from, at: at, text: draft.text, replyTo: 1)
        #expect(message == expected)
        // `==` on strings compares characters; the sent bytes must be returned.
        #expect(Array(message.text.utf8) == Array(draft.text.utf8))
        #expect(Array(message.from.name.utf8) == Array(draft.from.name.utf8))
        #expect(at >= draft.receivedAt)
    },
    MessageStoreContract("a direct conversation is a room like any other") { fixture in
        var draft = fixture.draft("a")
        draft.room = RoomID(tenant: fixture.tenant, name: .direct(.named("a:b"), .named("100%")))
        #expect(await fixture.append(draft).map(\.offset) == [1])
        let request = HistoryRequest(room: draft.room, range: .newest, messagesMax: 1, bytesMax: 1000)
        let page = try? await fixture.store.read(request).get()
        #expect(page?.messages.map(\.text) == ["text of a"])
    },
    MessageStoreContract("the longest names come back whole") { fixture in
        let room = RoomID(
            tenant: fixture.tenant,
            name: .direct(.named(longest.user), .named(String(repeating: ":", count: UserID.bytesMax))))
        let sender = Member(user: .named(longest.user), name: String(repeating: "\u{10FFFF}", count: 100))
        let draft = MessageDraft(
            room: room, id: .named(longest.id), from: sender, receivedAt: .ms(7), text: "text", replyTo: .max)
        #expect(await fixture.append(draft).map(\.offset) == [1])
        #expect(await fixture.append(draft).map(\.isDuplicate) == [true])
        let request = HistoryRequest(room: draft.room, range: .newest, messagesMax: 1, bytesMax: 1000)
        let message = try? await fixture.store.read(request).get().messages.first
        #expect(message?.id == draft.id)
        #expect(message?.from == draft.from)
        #expect(message?.replyTo == .max)
    },
    MessageStoreContract("an empty text and an empty name come back empty") { fixture in
        let draft = MessageDraft(
            room: fixture.room("room"), id: .named("a"), from: Member(user: .named("alice"), name: ""),
            receivedAt: .ms(7), text: "")
        _ = await fixture.append(draft, fixture.draft("b"))
        let message = await fixture.read(.after(0), 1, bytesMax: 0)?.messages.first
        #expect(message?.text == "")
        #expect(message?.from.name == "")
    },
    MessageStoreContract("a long text comes back whole") { fixture in
        let text = String(repeating: "0123456789abcdef", count: 4096)
        _ = await fixture.append(fixture.draft("a", text: text))
        #expect(await fixture.read(.newest)?.messages.first?.text == text)
    },
]

// MARK: Reading outcomes

extension AppendOutcome {
    /// The message's position; `nil` when it failed.
    public var position: Position? {
        switch self {
        case .stored(let position, _), .duplicate(let position, _), .applied(let position, _, _),
            .attached(let position, _, _):
            position
        case .unchanged, .refused, .failed: nil
        }
    }

    public var offset: Offset? { position?.offset }

    public var isDuplicate: Bool {
        if case .duplicate = self { true } else { false }
    }
}

extension MessageStore {
    public func append(_ batch: [MessageDraft]) async -> [AppendOutcome] {
        await withCheckedContinuation { continuation in
            append(batch) { continuation.resume(returning: $0) }
        }
    }

    public func store(_ receipts: [ReceiptNote]) async -> Result<Void, StoreError> {
        await withCheckedContinuation { continuation in
            saveReceipts(receipts) { continuation.resume(returning: $0) }
        }
    }

    public func store(_ sanctions: [SanctionNote]) async -> Result<[SanctionNote.Outcome], StoreError> {
        await withCheckedContinuation { continuation in
            saveSanctions(sanctions) { continuation.resume(returning: $0) }
        }
    }

    public func read(_ request: RoomsRequest) async -> Result<RoomsPage, StoreError> {
        await withCheckedContinuation { continuation in
            readRooms(request) { continuation.resume(returning: $0) }
        }
    }

    public func readHeads(_ known: [RoomHead]) async -> Result<[RoomHead], StoreError> {
        await withCheckedContinuation { continuation in
            readHeads(known) { continuation.resume(returning: $0) }
        }
    }

    public func read(_ request: HistoryRequest) async -> Result<HistoryPage, StoreError> {
        await withCheckedContinuation { continuation in
            readHistory(request) { continuation.resume(returning: $0) }
        }
    }
}
