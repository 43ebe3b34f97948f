internal import GoHubCore
internal import Testing

// MARK: Edits and deletions

let changeChecks: [MessageStoreContract] = [
    MessageStoreContract("an edit is an entry of its own, and pages show the text as it is now") { fixture in
        let epoch = await fixture.fill(2)
        let outcomes = await fixture.append(fixture.edit(1, to: "new"))
        #expect(outcomes == [.applied(fixture.at(3, epoch), at: .ms(7), MessageChange(of: 1, .edited))])
        let page = await fixture.read(.newest)
        #expect(page?.head.offset == 3)
        #expect(page?.messages.map(\.offset) == [1, 2, 3])
        #expect(page?.messages.map(\.text) == ["new", "text of 2", "new"])
        #expect(page?.messages.first?.amendments == Amendments(edited: .init(offset: 3, at: .ms(7))))
        #expect(page?.messages.first?.at == .ms(7))
        #expect(page?.messages.last?.change == MessageChange(of: 1, .edited))
        #expect(page?.messages.last?.from.user == .alice)
        // The last edit counts, and the first edit's entry has its text, too.
        #expect(await fixture.append(fixture.edit(1, to: "newer")).map(\.offset) == [4])
        #expect(await fixture.read(.newest)?.messages.map(\.text) == ["newer", "text of 2", "newer", "newer"])
        #expect(await fixture.read(.newest)?.messages.first?.amendments?.edited?.offset == 4)
    },
    MessageStoreContract("a deleted text is gone, from earlier edits and reactions too") { fixture in
        _ = await fixture.fill(1, text: "secret")
        _ = await fixture.append(fixture.edit(1, to: "secret still"), fixture.react(.thumb, to: 1))
        let outcomes = await fixture.append(fixture.delete(1))
        #expect(outcomes.map(\.change) == [MessageChange(of: 1, .deleted)])
        let page = await fixture.read(.newest)
        #expect(page?.messages.map(\.text) == ["", "", "", ""])
        #expect(page?.messages.first?.amendments == Amendments(deleted: .init(offset: 4, at: .ms(7))))
        #expect(page?.messages.first?.id == .named("1"))
        #expect(await fixture.read(.after(3))?.messages.map(\.change) == [MessageChange(of: 1, .deleted)])
        // A deleted message can't be restored.
        let after = await fixture.append(
            fixture.edit(1, to: "again"), fixture.react(.heart, to: 1), fixture.delete(1),
            fixture.react(.thumb, to: 1, isRemoval: true))
        #expect(after == [AppendOutcome](repeating: .refused(.notFound), count: 4))
        #expect(await fixture.read(.newest)?.head.offset == 4)
    },
    MessageStoreContract("only one's own message is edited or deleted, but for moderators, who delete") { fixture in
        _ = await fixture.fill(2)
        let outcomes = await fixture.append(
            fixture.edit(1, to: "mine", from: "bob"), fixture.delete(1, from: "bob"),
            fixture.delete(2, from: "bob", mayModerate: true), fixture.delete(1))
        #expect(
            outcomes.map(\.refusal) == [.forbidden, .forbidden, nil, nil],
            "each change request has its own answer, in one batch")
        #expect(outcomes.map(\.offset) == [nil, nil, 3, 4])
        #expect(await fixture.read(.newest)?.messages.map(\.from.user.value) == ["alice", "alice", "bob", "alice"])
    },
    MessageStoreContract("a change request for what isn't a message is refused, and nothing is stored") { fixture in
        _ = await fixture.fill(1)
        _ = await fixture.append(fixture.edit(1, to: "new"), fixture.draft("1", in: "other"))
        for target: Offset in [0, 2, 3, 4, .max] {
            let outcomes = await fixture.append(
                fixture.edit(target, to: "x"), fixture.delete(target, mayModerate: true),
                fixture.react(.thumb, to: target))
            #expect(outcomes == [AppendOutcome](repeating: .refused(.notFound), count: 3), "\(target)")
        }
        #expect(await fixture.append(fixture.edit(1, to: "x", in: "unused")) == [.refused(.notFound)])
        #expect(await fixture.read(.newest)?.head.offset == 2)
        #expect(await fixture.read(.newest, in: "unused")?.head.offset == 0)
        #expect(await fixture.append(fixture.draft("next")).map(\.offset) == [3])
    },
    MessageStoreContract("what is sent, edited, reacted to and deleted in one batch keeps its order") { fixture in
        let outcomes = await fixture.append(
            fixture.draft("a"), fixture.edit(1, to: "edited"), fixture.draft("b", from: "bob"),
            fixture.draft("z", in: "other"), fixture.react(.thumb, to: 1, from: "bob"), fixture.edit(1, to: "twice"),
            fixture.delete(2, from: "bob"), fixture.edit(2, to: "late", from: "bob"), fixture.draft("c"),
            fixture.delete(1, in: "other"), fixture.react(.thumb, to: 3), fixture.delete(1), fixture.draft("d"))
        #expect(outcomes.map(\.offset) == [1, 2, 3, 1, 4, 5, nil, nil, 6, 2, 7, 8, 9])
        #expect(outcomes[6].refusal == .notFound, "2 is a fact")
        let page = await fixture.read(.newest)
        #expect(page?.messages.map(\.offset) == (1...9).map { UInt64($0) })
        #expect(page?.messages.map { $0.change?.target } == [nil, 1, nil, 1, 1, nil, 3, 1, nil])
        #expect(page?.messages.map(\.text) == ["", "", "text of b", "", "", "text of c", "", "", "text of d"])
        #expect(page?.messages[2].amendments?.reactions == [.init(.thumb, count: 1, users: [.alice])])
        #expect(await fixture.read(.newest, in: "other")?.messages.map(\.text) == ["", ""])
    },
    MessageStoreContract("a repeated change request gets the first one's place, and changes nothing") { fixture in
        let epoch = await fixture.fill(1)
        let change = fixture.edit(1, to: "new", id: "w")
        #expect(await fixture.append(change, change).map(\.isDuplicate) == [false, true])
        _ = await fixture.append(fixture.edit(1, to: "newer"))
        #expect(await fixture.append(change) == [.duplicate(fixture.at(2, epoch), at: .ms(7))])
        #expect(await fixture.read(.newest)?.messages.first?.text == "newer")
        // This also holds for a deletion, whose message no longer exists.
        let deletion = fixture.delete(1, id: "d")
        #expect(await fixture.append(deletion).map(\.offset) == [4])
        #expect(await fixture.append(deletion, fixture.draft("2"), deletion).map(\.offset) == [4, 5, 4])
        // Ids are shared by all of a user's messages and change requests.
        #expect(await fixture.append(fixture.edit(1, to: "x", id: "1")).map(\.offset) == [1])
        #expect(await fixture.append(fixture.draft("w")).map(\.offset) == [2])
        // A refused request may be retried.
        #expect(await fixture.append(fixture.edit(9, to: "x", id: "r")) == [.refused(.notFound)])
        _ = await fixture.append(fixture.draft("6"), fixture.draft("7"), fixture.draft("8"), fixture.draft("9"))
        #expect(await fixture.append(fixture.edit(9, to: "x", id: "r")).map(\.offset) == [10])
    },
    MessageStoreContract("a text that is edited comes back as it was, however long") { fixture in
        _ = await fixture.fill(1)
        let text = String(repeating: "0123456789abcdef", count: 4096) + "\n\t'\"\\ $1 😀 e\u{301}"
        _ = await fixture.append(fixture.edit(1, to: text))
        let page = await fixture.read(.newest, bytesMax: 1_000_000)
        #expect(page?.messages.map { Array($0.text.utf8) } == [Array(text.utf8), Array(text.utf8)])
    },
    MessageStoreContract("pages of messages and facts cover the history once, both ways") { fixture in
        var batch: [MessageDraft] = []
        for number in 0..<20 {
            batch.append(fixture.draft("m\(number)"))
            batch.append(fixture.react(.thumb, to: UInt64(3 * number + 1), from: "bob"))
            batch.append(fixture.edit(UInt64(3 * (number / 2) + 1), to: "text \(number)"))
        }
        #expect(await fixture.store.append(batch).map(\.offset) == (1...60).map { UInt64($0) })
        let whole = await fixture.read(.newest)?.messages
        var forward: [StoredMessage] = []
        while let page = await fixture.read(.after(forward.last?.offset ?? 0), 7), !page.messages.isEmpty {
            forward += page.messages
            #expect(page.more == (forward.count < 60))
        }
        #expect(forward == whole)
        var back: [StoredMessage] = []
        while let page = await fixture.read(.before(back.first?.offset ?? .max), 7), !page.messages.isEmpty {
            back = page.messages + back
            #expect(page.more == (back.count < 60))
        }
        #expect(back == whole)
    },
    MessageStoreContract("a page ends at its bytes, an edit's text and reactions among them") { fixture in
        _ = await fixture.fill(1, text: "0123456789")
        _ = await fixture.append(fixture.draft("2"), fixture.edit(1, to: String(repeating: "x", count: 900)))
        let both = await fixture.read(.after(1))?.messages.answerBytes ?? 0
        #expect(both > 900)
        #expect(await fixture.read(.after(1), bytesMax: both - 1)?.messages.map(\.offset) == [2])
        #expect(await fixture.read(.after(1), bytesMax: both - 1)?.more == true)
        #expect(await fixture.read(.after(1), bytesMax: both)?.messages.map(\.offset) == [2, 3])
        for number in 0..<10 {
            _ = await fixture.append(fixture.react(.named("r\(number)"), to: 2, from: "u\(number)"))
        }
        #expect(await fixture.read(.after(1), bytesMax: both)?.messages.map(\.offset) == [2])
    },
    MessageStoreContract("the same message is changed by many at once, one after the other") { fixture in
        _ = await fixture.fill(1)
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<5 {
                        _ = await fixture.append(
                            fixture.react(.thumb, to: 1, from: "u\(writer)", isRemoval: number % 2 == 1),
                            fixture.draft("\(number)", from: "u\(writer)"))
                    }
                }
            }
        }
        let page = await fixture.read(.newest, 200)
        #expect(page?.messages.map(\.offset) == (1...81).map { UInt64($0) })
        #expect(page?.messages.first?.amendments?.reactions.map(\.count) == [8])
        // Folding the changes gives the page's form.
        var folded = Amendments()
        for entry in page?.messages ?? [] {
            guard let change = entry.change else { continue }
            folded.apply(change.kind, by: entry.from.user, .init(offset: entry.offset, at: entry.at))
        }
        #expect(page?.messages.first?.amendments == folded)
    },
]

// MARK: Reactions

let reactionChecks: [MessageStoreContract] = [
    MessageStoreContract("reactions are counted, in the order in which they were first given") { fixture in
        _ = await fixture.fill(1)
        let outcomes = await fixture.append(
            fixture.react(.thumb, to: 1, from: "bob"), fixture.react(.heart, to: 1, from: "carol"),
            fixture.react(.thumb, to: 1, from: "carol"))
        #expect(
            outcomes.map(\.change?.kind) == [
                .reaction(.thumb, isRemoval: false, count: 1), .reaction(.heart, isRemoval: false, count: 1),
                .reaction(.thumb, isRemoval: false, count: 2),
            ])
        let page = await fixture.read(.newest)
        #expect(
            page?.messages.first?.amendments?.reactions == [
                .init(.thumb, count: 2, users: [.bob, .carol]), .init(.heart, count: 1, users: [.carol]),
            ])
        #expect(page?.messages.first?.text == "text of 1")
        #expect(page?.messages.dropFirst().map(\.change) == outcomes.map(\.change))
        let removed = await fixture.append(
            fixture.react(.thumb, to: 1, from: "bob", isRemoval: true),
            fixture.react(.heart, to: 1, from: "carol", isRemoval: true))
        #expect(
            removed.map(\.change?.kind) == [
                .reaction(.thumb, isRemoval: true, count: 1), .reaction(.heart, isRemoval: true, count: 0),
            ])
        #expect(
            await fixture.read(.newest)?.messages.first?.amendments?.reactions
                == [.init(.thumb, count: 1, users: [.carol])])
    },
    MessageStoreContract("what is so already is left as it is") { fixture in
        _ = await fixture.fill(1)
        let outcomes = await fixture.append(
            fixture.react(.thumb, to: 1, isRemoval: true), fixture.react(.thumb, to: 1), fixture.react(.thumb, to: 1),
            fixture.react(.thumb, to: 1, from: "bob"), fixture.react(.heart, to: 1, isRemoval: true))
        #expect(outcomes.map(\.offset) == [nil, 2, nil, 3, nil])
        for outcome in [outcomes[0], outcomes[2], outcomes[4]] { #expect(outcome == .unchanged(at: .ms(7))) }
        #expect(await fixture.append(fixture.react(.thumb, to: 1)) == [.unchanged(at: .ms(7))])
        #expect(await fixture.read(.newest)?.head.offset == 3)
    },
    MessageStoreContract("reactions and their users are compared by their bytes") { fixture in
        _ = await fixture.fill(1)
        let outcomes = await fixture.append(
            fixture.react(.named("\u{E9}"), to: 1), fixture.react(.named("e\u{301}"), to: 1),
            fixture.react(.named("e\u{301}"), to: 1, from: "\u{E9}"),
            fixture.react(.named("e\u{301}"), to: 1, from: "e\u{301}"))
        #expect(outcomes.map(\.offset) == [2, 3, 4, 5])
        #expect(await fixture.read(.newest)?.messages.first?.amendments?.reactions.map(\.count) == [1, 3])
    },
    MessageStoreContract("five users of a reaction are named, all are counted") { fixture in
        _ = await fixture.fill(1)
        _ = await fixture.store.append((0..<9).map { fixture.react(.thumb, to: 1, from: "u\($0)") })
        _ = await fixture.append(fixture.react(.thumb, to: 1, from: "u2", isRemoval: true))
        #expect(
            await fixture.read(.newest)?.messages.first?.amendments?.reactions
                == [.init(.thumb, count: 8, users: ["u0", "u1", "u3", "u4"].map { .named($0) })])
    },
    MessageStoreContract("a message's reactions are bounded, by kind, by user and all together") { fixture in
        _ = await fixture.fill(1)
        let bounds = ChangeRequest.ReactionBounds(kindsMax: 3, perUserMax: 2, totalMax: 5)
        for (value, user) in [("a", "u"), ("b", "u"), ("c", "v")] {
            #expect(await fixture.give(value, user, bounds)?.change != nil)
        }
        #expect(await fixture.give("c", "u", bounds) == .refused(.tooManyReactions), "two of one user")
        #expect(await fixture.give("d", "v", bounds) == .refused(.tooManyReactions), "three kinds")
        for (value, user) in [("a", "v"), ("a", "w")] {
            #expect(await fixture.give(value, user, bounds)?.change != nil)
        }
        #expect(await fixture.give("a", "x", bounds) == .refused(.tooManyReactions), "five in all")
        _ = await fixture.append(fixture.react(.named("a"), to: 1, from: "u", isRemoval: true))
        #expect(await fixture.give("a", "x", bounds)?.change != nil)
    },
    MessageStoreContract("unread counts messages only, and the last of a room is a message as it is now") { fixture in
        let outcomes = await fixture.append(
            fixture.draft("1"), fixture.react(.thumb, to: 1, from: "bob"), fixture.draft("3"),
            fixture.edit(3, to: "new"),
            fixture.react(.thumb, to: 3), fixture.draft("6"), fixture.edit(6, to: "newest"),
            fixture.react(.heart, to: 1))
        let epoch = outcomes.first?.position?.epoch
        await fixture.note(epoch, "bob", Receipt())
        for (seen, unread): (Offset, Offset) in [
            (0, 3), (1, 2), (2, 2), (3, 1), (4, 1), (5, 1), (6, 0), (7, 0), (8, 0),
        ] {
            await fixture.note(epoch, "bob", Receipt(seen: seen))
            let room = await fixture.rooms(of: "bob")?.rooms.first
            #expect(room?.unread == unread, "seen \(seen)")
            #expect(room?.head.offset == 8)
            #expect(room?.last?.offset == 6)
            #expect(room?.last?.text == "newest")
            #expect(room?.last?.amendments?.edited?.offset == 7)
        }
        _ = await fixture.append(fixture.delete(6))
        let room = await fixture.rooms(of: "bob")?.rooms.first
        #expect(room?.last?.text == "")
        #expect(room?.last?.amendments?.deleted?.offset == 9)
        #expect(room?.unread == 0)
    },
]

// MARK: Change requests

private let standardBounds = ChangeRequest.ReactionBounds(kindsMax: 20, perUserMax: 5, totalMax: 1000)

extension StoreFixture {
    func at(_ offset: Offset, _ epoch: Epoch?) -> Position { Position(epoch: epoch ?? Epoch("none"), offset: offset) }

    func edit(
        _ target: Offset, to text: String, from user: String = "alice", in room: String = "room", id: String? = nil
    ) -> MessageDraft {
        change(ChangeRequest(of: target, .edit), text: text, from: user, in: room, id)
    }

    func delete(
        _ target: Offset, from user: String = "alice", mayModerate: Bool = false, in room: String = "room",
        id: String? = nil
    ) -> MessageDraft {
        change(ChangeRequest(of: target, .delete(mayModerate: mayModerate)), from: user, in: room, id)
    }

    func react(
        _ reaction: Reaction, to target: Offset, from user: String = "alice", isRemoval: Bool = false,
        _ bounds: ChangeRequest.ReactionBounds = standardBounds
    ) -> MessageDraft {
        change(ChangeRequest(of: target, .react(reaction, isRemoval: isRemoval, bounds)), from: user, in: "room", nil)
    }

    func give(_ value: String, _ user: String, _ bounds: ChangeRequest.ReactionBounds) async -> AppendOutcome? {
        await append(react(.named(value), to: 1, from: user, bounds)).first
    }

    /// - Parameter id: defaults to a unique id.
    private func change(
        _ change: ChangeRequest, text: String = "", from user: String, in room: String, _ id: String?
    ) -> MessageDraft {
        MessageDraft(
            room: self.room(room), id: .named(id ?? "w\(UInt64.random(in: .min ... .max))"),
            from: Member(user: .named(user)), receivedAt: .ms(7), change, text: text)
    }
}

extension AppendOutcome {
    /// The change of an accepted change request.
    var change: MessageChange? {
        if case .applied(_, _, let change) = self { change } else { nil }
    }

    var refusal: AppendOutcome.Rejection? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }
}
