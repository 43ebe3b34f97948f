import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Several hubs on one database: a shard learns from the store what the others have stored.
struct HubStateComparisonTests {
    private let other = ClusterView(peers: [.named("node-2")])

    private func head(_ offset: Offset, epoch: Epoch = epoch, sanctions: UInt64 = 0) -> RoomHead {
        RoomHead(room: .lobby, position: Position(epoch: epoch, offset: offset), sanctionsVersion: sanctions)
    }

    private func told(_ actions: [HubAction]) -> [Offset] {
        actions.compactMap {
            if case .deliver(.message(_, let message), _, _) = $0 { message.offset } else { nil }
        }
    }

    private func reads(_ actions: [HubAction]) -> [HistoryRequest] {
        actions.compactMap { if case .read(let read, _) = $0 { read } else { nil } }
    }

    private func due(_ actions: [HubAction]) -> MonotonicTime? {
        actions.compactMap { if case .scheduleTimer(let due) = $0 { due } else { nil } }.last
    }

    /// A shard with a peer whose first comparison is done, at 1,000 ms.
    private func makeState(head: Offset = 5, _ users: UserID = .alice) -> HubState {
        var state = HubState.makeWithMembers(users, head: head)
        _ = state.actions { $0.clusterChanged(other, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1000), into: &$1) }
        _ = state.actions { $0.headsRead(.success([]), now: .ms(1000), into: &$1) }
        return state
    }

    // MARK: Rounds

    @Test func withoutClusterNothingIsCompared() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let actions = state.actions { $0.timerFired(now: .ms(100_000), into: &$1) }
        #expect(!actions.contains { if case .readHeads = $0 { true } else { false } })
        #expect(!state.comparison.isOn)
    }

    @Test func roomsWithMembersAreComparedAtOnceAndThenEvery140Milliseconds() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        #expect(
            state.actions { $0.clusterChanged(other, now: .ms(1000), into: &$1) } == [.scheduleTimer(.ms(1000))])
        #expect(state.actions { $0.timerFired(now: .ms(1000), into: &$1) }.contains(.readHeads([head(5)])))
        #expect(
            state.actions { $0.headsRead(.success([]), now: .ms(1010), into: &$1) } == [.scheduleTimer(.ms(1140))])
        #expect(state.actions { $0.timerFired(now: .ms(1140), into: &$1) }.contains(.readHeads([head(5)])))
        // A slow answer delays the next round, which begins at once then.
        #expect(
            state.actions { $0.headsRead(.success([]), now: .ms(1900), into: &$1) } == [.scheduleTimer(.ms(1900))])
    }

    @Test func withBusRoomsAreComparedEvery30Seconds() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let told = ClusterView(peers: other.peers, hasBus: true)
        state.linkToBus(now: .ms(1000))
        _ = state.actions { $0.clusterChanged(told, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1000), into: &$1) }
        _ = state.actions { $0.headsRead(.success([]), now: .ms(1000), into: &$1) }
        #expect(!state.actions { $0.timerFired(now: .ms(30_999), into: &$1) }.comparesRooms)
        #expect(state.actions { $0.timerFired(now: .ms(31_000), into: &$1) }.contains(.readHeads([head(5)])))
        _ = state.actions { $0.headsRead(.success([]), now: .ms(31_000), into: &$1) }
        // Without the bus the store is polled at once.
        #expect(due(state.actions { $0.clusterChanged(other, now: .ms(32_000), into: &$1) }) == .ms(31_140))
    }

    /// Another hub may be there that this one hasn't heard of.
    @Test func loneHubPolls() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = state.actions { $0.clusterChanged(ClusterView(), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1000), into: &$1) }
        #expect(
            state.actions { $0.headsRead(.success([]), now: .ms(1000), into: &$1) } == [.scheduleTimer(.ms(1140))])
        #expect(reads(state.actions { $0.joined(.make(.number(3), .carol), now: .ms(1100), into: &$1) }).count == 1)
    }

    @Test func deadPeerCausesComparisonAtOnce() {
        var state = makeState()
        let view = ClusterView(peers: other.peers, comparisons: 1)
        #expect(due(state.actions { $0.clusterChanged(view, now: .ms(1050), into: &$1) }) == .ms(1050))
        #expect(state.actions { $0.timerFired(now: .ms(1050), into: &$1) }.contains(.readHeads([head(5)])))
    }

    @Test func failedComparisonIsRepeatedAfterASecond() {
        var state = makeState()
        _ = state.actions { $0.timerFired(now: .ms(1140), into: &$1) }
        let failure = Result<[RoomHead], StoreError>.failure(StoreError("away"))
        #expect(state.actions { $0.headsRead(failure, now: .ms(1300), into: &$1) } == [.scheduleTimer(.ms(2300))])
        #expect(state.actions { $0.timerFired(now: .ms(2300), into: &$1) }.contains(.readHeads([head(5)])))
        #expect(state.storeRequestsInFlight == 1)
    }

    @Test func thousandRoomsAreComparedAtATime() {
        var state = HubState()
        for number in 0..<2_500 {
            let room = RoomID(tenant: .standard, name: .named("r\(number)"))
            state.join(.make(.number(UInt64(number)), .alice, room: room), head: 1, now: .ms(0))
        }
        _ = state.actions { $0.clusterChanged(other, now: .ms(1000), into: &$1) }
        var actions = state.actions { $0.timerFired(now: .ms(1000), into: &$1) }
        var compared: [RoomID] = []
        while case .readHeads(let heads)? = actions.first(where: { if case .readHeads = $0 { true } else { false } }) {
            #expect(heads.count <= RoomHead.roomsMax)
            compared += heads.map(\.room)
            actions = state.actions { $0.headsRead(.success([]), now: .ms(1001), into: &$1) }
        }
        #expect(compared.count == 2_500)
        #expect(Set(compared).count == 2_500)
    }

    // MARK: Entries of another hub

    @Test func entriesOfAnotherHubAreReadAndDelivered() {
        var state = makeState()
        _ = state.actions { $0.timerFired(now: .ms(1140), into: &$1) }
        let actions = state.actions { $0.headsRead(.success([head(7)]), now: .ms(1160), into: &$1) }
        #expect(reads(actions) == [], "they may be this hub's own, with their answers under way")
        let read = reads(state.actions { $0.timerFired(now: .ms(1185), into: &$1) })
        #expect(read.map(\.range) == [.after(5)])
        let delivered = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 7, 6...7)), read[0], now: .ms(1190), into: &$1)
        }
        #expect(told(delivered) == [6, 7])
        #expect(state.catchUps.isEmpty)
    }

    @Test func ownEntriesAreNotReadAgain() {
        var state = makeState()
        _ = state.actions { $0.timerFired(now: .ms(1140), into: &$1) }
        _ = state.actions { $0.headsRead(.success([head(6)]), now: .ms(1160), into: &$1) }
        #expect(told(state.publish(offset: 6, now: .ms(1170))) == [6])
        #expect(reads(state.actions { $0.timerFired(now: .ms(1185), into: &$1) }) == [])
        #expect(state.catchUps.isEmpty)
    }

    /// T1: an entry of another hub between two of this one's.
    @Test func ownEntryBehindAnotherHubsWaitsForIt() {
        var state = makeState()
        let actions = state.publish(offset: 7, now: .ms(1100))
        #expect(told(actions) == [])
        #expect(!actions.contains { if case .send(_, .close) = $0 { true } else { false } })
        let read = reads(actions)
        #expect(read.map(\.range) == [.after(5)])
        let delivered = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 7, 6...7)), read[0], now: .ms(1110), into: &$1)
        }
        #expect(told(delivered) == [6, 7])
    }

    @Test func roomThatIsTooFarBehindResyncs() {
        var state = makeState()
        _ = state.actions { $0.timerFired(now: .ms(1140), into: &$1) }
        let actions = state.actions { $0.headsRead(.success([head(5 + 2001)]), now: .ms(1160), into: &$1) }
        #expect(actions.contains(.send(1, .close(.resyncNeeded))))
        #expect(state.rooms[.lobby]?.head == nil)
    }

    @Test func anotherEpochIsReadBeforeAnybodyIsClosed() {
        var state = makeState()
        _ = state.actions { $0.timerFired(now: .ms(1140), into: &$1) }
        let found = head(3, epoch: Epoch("e2"))
        let read = reads(state.actions { $0.headsRead(.success([found]), now: .ms(1160), into: &$1) })
        #expect(read.map(\.range) == [.after(5)])
        let actions = state.actions {
            $0.historyRead(
                .catchUp, .success(.make(head: 3, epoch: Epoch("e2"))), read[0], now: .ms(1170), into: &$1)
        }
        #expect(actions.contains(.send(1, .close(.resyncNeeded))))
    }

    // MARK: Clients from another hub

    /// T2: the client has seen 7 on another hub, and this one is at 5.
    @Test func clientThatIsAheadIsCaughtUp() {
        var state = makeState()
        let join = JoinRequest.make(.number(3), .carol, since: 7)
        let page = reads(state.actions { $0.joined(join, now: .ms(1100), into: &$1) })
        #expect(page.map(\.range) == [.after(7)])
        let behind = state.actions {
            $0.historyRead(.join(join), .success(.make(head: 8, 8...8)), page[0], now: .ms(1110), into: &$1)
        }
        #expect(!behind.contains { if case .send(_, .joined) = $0 { true } else { false } })
        let missing = reads(behind)
        #expect(missing.map(\.range) == [.after(5)])
        let caughtUp = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 8, 6...8)), missing[0], now: .ms(1120), into: &$1)
        }
        #expect(told(caughtUp) == [6, 7, 8], "Alice gets what the hub had missed")
        let again = reads(caughtUp)
        #expect(again.map(\.range) == [.after(7)])
        var waited = join
        waited.upTo = Position(epoch: epoch, offset: 8)
        let answer = state.actions {
            $0.historyRead(.join(waited), .success(.make(head: 8, 8...8)), again[0], now: .ms(1130), into: &$1)
        }
        guard case .send(_, .joined(let joined))? = answer.first(where: { $0.isJoined }) else {
            Issue.record("the join has no answer")
            return
        }
        #expect(joined.recovered)
        #expect(joined.messages.map(\.offset) == [8])
        #expect(joined.head.offset == 8)
    }

    @Test func clientThatIsAheadOfTheStoreIsNotRecovered() {
        var state = makeState()
        let join = JoinRequest.make(.number(3), .carol, since: 9)
        let page = reads(state.actions { $0.joined(join, now: .ms(1100), into: &$1) })
        let answer = state.actions {
            $0.historyRead(.join(join), .success(.make(head: 5)), page[0], now: .ms(1110), into: &$1)
        }
        guard case .send(_, .joined(let joined))? = answer.first(where: { $0.isJoined }) else {
            Issue.record("the join has no answer")
            return
        }
        #expect(!joined.recovered)
        #expect(joined.head.offset == 5)
    }

    /// T3: what the page has beyond the hub's head is delivered.
    @Test func pageThatIsFurtherIsNews() {
        var state = makeState()
        let join = JoinRequest.make(.number(3), .carol, limit: 10)
        let page = reads(state.actions { $0.joined(join, now: .ms(1100), into: &$1) })
        let behind = state.actions {
            $0.historyRead(.join(join), .success(.make(head: 7, 1...7)), page[0], now: .ms(1110), into: &$1)
        }
        let missing = reads(behind)
        #expect(missing.map(\.range) == [.after(5)])
        let caughtUp = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 7, 6...7)), missing[0], now: .ms(1120), into: &$1)
        }
        #expect(told(caughtUp) == [6, 7])
    }

    /// A page that ends behind the hub's head has everything up to it, however much more the store has.
    @Test func pageThatIsFurtherAndNotTheLastOneRecovers() {
        var state = makeState()
        let join = JoinRequest.make(.number(3), .carol, since: 3)
        let page = reads(state.actions { $0.joined(join, now: .ms(1100), into: &$1) })
        var waited = join
        waited.upTo = Position(epoch: epoch, offset: 5)
        let answer = state.actions {
            $0.historyRead(
                .join(waited), .success(.make(head: 9, 4...5, more: true)), page[0], now: .ms(1110), into: &$1)
        }
        guard case .send(_, .joined(let joined))? = answer.first(where: { $0.isJoined }) else {
            Issue.record("the join has no answer")
            return
        }
        #expect(joined.recovered)
        #expect(joined.messages.map(\.offset) == [4, 5])
        #expect(joined.head.offset == 5)
    }

    @Test func storeFailureAnswersWaitingJoins() {
        var state = makeState()
        let join = JoinRequest.make(.number(3), .carol, since: 7)
        let page = reads(state.actions { $0.joined(join, now: .ms(1100), into: &$1) })
        let missing = reads(
            state.actions {
                $0.historyRead(.join(join), .success(.make(head: 7)), page[0], now: .ms(1110), into: &$1)
            })
        let failure = Result<HistoryPage, StoreError>.failure(StoreError("away"))
        let actions = state.actions { $0.historyRead(.catchUp, failure, missing[0], now: .ms(1120), into: &$1) }
        #expect(actions.contains { if case .send(_, .joinRefused) = $0 { true } else { false } })
        #expect(state.rooms[.lobby]?.joining == [])
    }

    /// T4: the user has seen 7 on another device, through another hub.
    @Test func receiptForAnotherHubsEntryWaitsForIt() {
        var state = makeState()
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 7), now: .ms(1100), into: &$1) }
        let read = reads(state.actions { $0.timerFired(now: .ms(1125), into: &$1) })
        #expect(read.map(\.range) == [.after(5)])
        _ = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 7, 6...7)), read[0], now: .ms(1130), into: &$1)
        }
        let written = state.actions { $0.timerFired(now: .ms(1500), into: &$1) }
        let notes = written.flatMap { action -> [ReceiptNote] in
            if case .storeReceipts(let notes) = action { notes } else { [] }
        }
        #expect(notes.contains { $0.user == .alice && $0.receipt == Receipt(seen: 7) })
    }

    @Test func receiptForAnEntryThatNobodyHasIsDropped() {
        var state = makeState()
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 999), now: .ms(1100), into: &$1) }
        let read = reads(state.actions { $0.timerFired(now: .ms(1125), into: &$1) })
        _ = state.actions { $0.historyRead(.catchUp, .success(.make(head: 5)), read[0], now: .ms(1130), into: &$1) }
        #expect(state.catchUps.isEmpty)
    }

    /// T5: another hub has stored the repeated message.
    @Test func duplicateThatIsNewsIsDelivered() {
        var state = makeState()
        let repeated = AppendRequest.make(id: "m6")
        _ = state.actions { $0.published(repeated, now: .ms(1100), into: &$1) }
        let outcome = AppendOutcome.duplicate(Position(epoch: epoch, offset: 6), at: .ms(0))
        let actions = state.actions { $0.stored(repeated, outcome, now: .ms(1110), into: &$1) }
        #expect(!actions.contains { if case .send(_, .close) = $0 { true } else { false } })
        #expect(reads(actions).map(\.range) == [.after(5)])
    }

    /// A direct conversation has no head that could catch up.
    @Test func joinOfADirectConversationIsAnsweredFromItsPage() {
        let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        var state = makeState()
        _ = state.publish(offset: 1, to: direct, now: .ms(1050))
        _ = state.actions { $0.receipted(.alice, direct, Receipt(seen: 1), now: .ms(1060), into: &$1) }
        let join = JoinRequest.make(.number(1), .alice, room: direct, limit: 10)
        let page = reads(state.actions { $0.joined(join, now: .ms(1100), into: &$1) })
        #expect(page.map(\.receiptsMax) == [201])
        var stored = HistoryPage.make(head: 3, 1...3)
        stored.receipts = [UserReceipt(user: .bob, Receipt(seen: 3))]
        let answer = state.actions {
            $0.historyRead(.join(join), .success(stored), page[0], now: .ms(1110), into: &$1)
        }
        guard case .forward(.conversationJoined(_, _, let joined))? = answer.first else {
            Issue.record("the join has no answer")
            return
        }
        #expect(joined.messages.map(\.offset) == [1, 2, 3])
        #expect(joined.receipts == [UserReceipt(user: .bob, Receipt(seen: 3))], "another hub has told it")
        #expect(reads(answer) == [])
        // The user has read what only another hub has delivered.
        let early = reads(state.actions { $0.receipted(.alice, direct, Receipt(seen: 5), now: .ms(1140), into: &$1) })
        #expect(early.map(\.range) == [.newest])
        // Nobody has it, so it is dropped, and the store is not read again.
        let dropped = state.actions {
            $0.historyRead(.receipts, .success(.make(head: 3)), early[0], now: .ms(1160), into: &$1)
        }
        #expect(reads(dropped) == [])
    }

    // MARK: Mutes and bans

    @Test func banOfAnotherHubIsReadWithEachJoin() {
        var state = makeState()
        let join = JoinRequest.make(.number(3), .carol)
        let page = reads(state.actions { $0.joined(join, now: .ms(1100), into: &$1) })
        #expect(page.map(\.sanctionsMax) == [100_000])
        var banned = HistoryPage.make(head: 5)
        banned.sanctions = [UserSanction(user: .carol, isBan: true, left: 60_000)]
        banned.sanctionsVersion = 4
        let actions = state.actions {
            $0.historyRead(.join(join), .success(banned), page[0], now: .ms(1110), into: &$1)
        }
        #expect(actions.contains { if case .send(_, .joinRefused) = $0 { true } else { false } })
        #expect(!state.isMember(3))
    }

    @Test func otherVersionIsReadAndBannedUserIsPutOut() {
        var state = makeState()
        _ = state.actions { $0.timerFired(now: .ms(1140), into: &$1) }
        let actions = state.actions { $0.headsRead(.success([head(5, sanctions: 4)]), now: .ms(1160), into: &$1) }
        let read = HistoryRequest.sanctions(of: .lobby, max: 100_000)
        #expect(actions.contains(.read(read, .sanctions)))
        var page = HistoryPage.make(head: 5)
        page.sanctions = [UserSanction(user: .alice, isBan: true, left: 60_000)]
        page.sanctionsVersion = 4
        _ = state.actions { $0.historyRead(.sanctions, .success(page), read, now: .ms(1170), into: &$1) }
        #expect(!state.isMember(1))
        #expect(state.rooms[.lobby]?.sanctions.version ?? 4 == 4)
    }

    // MARK: Spread closes

    /// T10: a large room's members join again one after the other.
    @Test func membersOfALargeRoomResyncOneAfterTheOther() {
        var state = HubState()
        for number in 1...500 as ClosedRange<UInt64> {
            state.join(.make(.number(number), .named("u\(number)")), head: 5, now: .ms(0))
        }
        let actions = state.actions { $0.resync(.lobby, now: .ms(1000), into: &$1) }
        let delays = actions.compactMap { action -> UInt64? in
            if case .send(_, .resync(_, let delay)) = action { delay.value } else { nil }
        }
        #expect(delays == (0..<500).map { $0 })
        #expect(
            state.rooms[.lobby]?.members.isEmpty != false, "nobody gets entries of the new history before the close")
    }
}

extension HubAction {
    fileprivate var isJoined: Bool { if case .send(_, .joined) = self { true } else { false } }
}
