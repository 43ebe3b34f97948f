import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

extension DurableStoreContract {
    static let followingChecks: [DurableStoreContract] = [
        DurableStoreContract("mutes and bans are there when it is opened again") { fixture in
            try await fixture.withStore { store in
                try await fixture.sanction([.bob: .ban(.seconds(3600)), .carol: .mute(.seconds(3600))], in: store)
            }
            try await fixture.withStore { store in
                let sanctions = try await fixture.sanctions(in: store)
                #expect(sanctions.map(\.user) == [.bob, .carol])
                #expect(sanctions.map(\.isBan) == [true, false])
                #expect(sanctions.allSatisfy { $0.left > 0 && $0.left <= .seconds(3600) })
            }
        },
        DurableStoreContract("who follows a room still does when it is opened again") { fixture in
            try await fixture.withStore { store in
                _ = await fixture.append(1...2, to: store)
                try await fixture.follow(.bob, in: store)
                try await fixture.follow(.carol, in: store)
                try await fixture.follow(.carol, false, in: store)
            }
            try await fixture.withStore { store in
                try #expect(await fixture.rooms(of: .bob, in: store).map(\.unread) == [2])
                try #expect(await fixture.rooms(of: .carol, in: store) == [])
            }
        },
        DurableStoreContract("retention leaves followers until nothing was heard of them for as long") { fixture in
            try await fixture.withStore(Retention(ageMax: day)) { store in
                _ = await fixture.append(1...2, to: store)
                fixture.time.advance(by: day)
                fixture.time.advance(by: 1)
                _ = await fixture.append(3...3, to: store)
                // All earlier messages are about to be removed, and these users have received none of them.
                try await fixture.follow(.bob, in: store)
                try await fixture.follow(.carol, in: store)
                try await fixture.follow(.carol, false, in: store)
                try await fixture.note([.named("dave"): 0], in: store)
                try await store.sweep()
                try #expect(await fixture.rooms(of: .bob, in: store).map(\.unread) == [3])
                try #expect(await fixture.receipts(in: store) == [.bob: 0])
                // Two days longer than messages stay: the store and the hub may learn of a join that late.
                fixture.time.advance(by: Milliseconds(3 * day.value - 1))
                try await store.sweep()
                try #expect(await fixture.receipts(in: store) == [.bob: 0])
                fixture.time.advance(by: day)
                try await store.sweep()
                try #expect(await fixture.receipts(in: store) == [:])
            }
        },
        DurableStoreContract("a join in a while is enough to stay a follower") { fixture in
            try await fixture.withStore(Retention(ageMax: day)) { store in
                _ = await fixture.append(1...1, to: store)
                for _ in 0..<6 {
                    try await fixture.follow(.bob, in: store)
                    fixture.time.advance(by: Milliseconds(2 * day.value))
                    try await store.sweep()
                    try #expect(await fixture.rooms(of: .bob, in: store).map(\.room) == [.lobby])
                }
            }
        },
        DurableStoreContract("that a user follows is news again after a while") { fixture in
            try await fixture.withStore { store in
                _ = await fixture.append(1...1, to: store)
                try await fixture.follow(.bob, in: store)
                func isFresh() async throws -> [Bool] {
                    let request = HistoryRequest(
                        room: fixture.room, range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: 10)
                    return try await store.read(request).get().receipts.map(\.isFollower)
                }
                fixture.time.advance(by: Milliseconds(Following.refreshInterval.value - 1))
                try #expect(await isFresh() == [true])
                fixture.time.advance(by: 1)
                try #expect(await isFresh() == [false])
                try await fixture.follow(.bob, in: store)
                try #expect(await isFresh() == [true])
            }
        },
    ]
}

extension DurableStoreFixture {
    func sanction(_ kinds: [UserID: SanctionNote.Kind], in store: any MessageStore) async throws {
        let notes = kinds.map { SanctionNote(room: room, user: $0.key, $0.value, perRoomMax: 100) }
        let outcomes = try await store.store(notes).get()
        #expect(outcomes.allSatisfy { $0 == .stored })
    }

    /// In the order of the users' ids.
    func sanctions(in store: any MessageStore) async throws -> [UserSanction] {
        try await store.read(.sanctions(of: room, max: 100)).get().sanctions.sorted { $0.user < $1.user }
    }

    func follow(_ user: UserID, _ follows: Bool = true, in store: any MessageStore) async throws {
        let epoch = try await read(of: store).head.epoch
        try await store.store([ReceiptNote(room: room, epoch: epoch, user: user, Receipt(), follows: follows)]).get()
    }

    /// Everything from before rooms were followed is there, users with a receipt are followers, and there are mutes and
    /// bans.
    func checkMigratedToFollowing(_ store: any DurableMessageStore, _ before: HistoryPage) async throws {
        try await checkMigrated(store, before)
        try await sanction([.carol: .ban(60_000)], in: store)
        try #expect(await sanctions(in: store).map(\.user) == [.carol])
        try await follow(.bob, false, in: store)
        try #expect(await rooms(of: .bob, in: store) == [])
    }
}
