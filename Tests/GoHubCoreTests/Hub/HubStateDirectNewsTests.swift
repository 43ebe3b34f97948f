import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Direct messages that other hubs have stored: how a hub learns of them, and delivers them.
struct HubStateDirectNewsTests {
    private let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))
    private let view = ClusterView(peers: [.named("node-2")], directNews: DirectNews.Cursor("start"))

    private func item(_ number: UInt64, _ offsets: ClosedRange<Offset>, epoch: Epoch = epoch) -> DirectNews.Item {
        DirectNews.Item(number: number, room: direct, epoch: epoch, offsets: offsets)
    }

    private func key(_ user: UserID) -> UserKey { UserKey(tenant: .standard, user: user) }

    /// The requests for the list.
    private func cursors(_ actions: [HubAction]) -> [String] {
        actions.compactMap { if case .readDirectNews(let cursor) = $0 { cursor.text } else { nil } }
    }

    private func forwarded(_ actions: [HubAction]) -> [HubInput] {
        actions.compactMap {
            switch $0 {
            case .forward(let input), .forwardToAll(let input): input
            default: nil
            }
        }
    }

    private func reads(_ actions: [HubAction]) -> [HistoryRequest] {
        actions.compactMap { if case .read(let read, _) = $0 { read } else { nil } }
    }

    private func delivered(_ actions: [HubAction]) -> [String] {
        actions.compactMap {
            guard case .forward(.userAddressed(let user, .directMessage(_, _, let message))) = $0 else { return nil }
            return "\(message.offset) to \(user.user)"
        }
    }

    /// A shard that has asked for the list at 1,000 ms.
    private func makeReader() -> HubState {
        var state = HubState()
        _ = state.actions { $0.clusterChanged(view, now: .ms(1000), into: &$1) }
        #expect(cursors(state.actions { $0.timerFired(now: .ms(1000), into: &$1) }) == ["start"])
        return state
    }

    private func answer(
        _ items: [DirectNews.Item], more: Bool = false, hasGap: Bool = false, _ state: inout HubState,
        now: MonotonicTime
    ) -> [HubAction] {
        let news = DirectNews(items: items, cursor: DirectNews.Cursor("next"), more: more, hasGap: hasGap)
        return state.actions { $0.directNewsRead(.success(news), now: now, into: &$1) }
    }

    // MARK: Reading the list

    @Test func listIsReadAtOnceAndThenEvery140Milliseconds() {
        var state = makeReader()
        _ = answer([], &state, now: .ms(1010))
        #expect(cursors(state.actions { $0.timerFired(now: .ms(1139), into: &$1) }) == [])
        #expect(cursors(state.actions { $0.timerFired(now: .ms(1140), into: &$1) }) == ["next"])
    }

    @Test func withBusListIsReadEvery30Seconds() {
        var state = makeReader()
        _ = answer([], &state, now: .ms(1010))
        var view = view
        view.hasBus = true
        state.linkToBus(now: .ms(1020))
        _ = state.actions { $0.clusterChanged(view, now: .ms(1020), into: &$1) }
        #expect(cursors(state.actions { $0.timerFired(now: .ms(1140), into: &$1) }) == ["next"])
        _ = answer([], &state, now: .ms(1140))
        #expect(cursors(state.actions { $0.timerFired(now: .ms(31_139), into: &$1) }) == [])
        #expect(cursors(state.actions { $0.timerFired(now: .ms(31_140), into: &$1) }) == ["next"])
    }

    @Test func shardWithoutCursorReadsNothing() {
        var state = HubState()
        _ = state.actions { $0.clusterChanged(ClusterView(peers: view.peers), now: .ms(1000), into: &$1) }
        #expect(cursors(state.actions { $0.timerFired(now: .ms(1000), into: &$1) }) == [])
    }

    /// Later views still have the place of the start.
    @Test func laterViewDoesNotStartAgain() {
        var state = makeReader()
        _ = answer([], &state, now: .ms(1010))
        _ = state.actions { $0.clusterChanged(view, now: .ms(1020), into: &$1) }
        #expect(cursors(state.actions { $0.timerFired(now: .ms(1140), into: &$1) }) == ["next"])
    }

    @Test func failedReadingIsRepeatedAfterASecond() {
        var state = makeReader()
        let failure = Result<DirectNews, StoreError>.failure(StoreError("away"))
        _ = state.actions { $0.directNewsRead(failure, now: .ms(1100), into: &$1) }
        #expect(cursors(state.actions { $0.timerFired(now: .ms(2099), into: &$1) }) == [])
        #expect(cursors(state.actions { $0.timerFired(now: .ms(2100), into: &$1) }) == ["start"])
        #expect(state.storeRequestsInFlight == 1)
    }

    @Test func fullAnswerIsFollowedByTheNextAtOnce() {
        var state = makeReader()
        let actions = answer([item(1, 4...4)], more: true, &state, now: .ms(1010))
        #expect(forwarded(actions) == [.directNews(key(.alice), item(1, 4...4))])
        #expect(cursors(actions) == ["next"])
    }

    /// The end of the list is read again with every round.
    @Test func itemIsHandledOnce() {
        var state = makeReader()
        #expect(forwarded(answer([item(1, 4...4)], &state, now: .ms(1010))).count == 1)
        for round: UInt64 in 1...3 {
            _ = state.actions { $0.timerFired(now: .ms(1000 + 140 * round), into: &$1) }
            let again = answer([item(1, 4...4)], &state, now: .ms(1000 + 140 * round))
            #expect(forwarded(again) == [])
        }
    }

    // MARK: Who is here

    @Test func newsGoesToTheConversationIfOneOfItsUsersIsHere() {
        var state = HubState()
        _ = state.actions { $0.connected(.number(1), .of(.bob), now: .ms(0), into: &$1) }
        let news = item(1, 4...4)
        #expect(
            forwarded(state.actions { $0.directNews(key(.alice), news, into: &$1) }) == [.directNews(key(.bob), news)])
        #expect(forwarded(state.actions { $0.directNews(key(.bob), news, into: &$1) }) == [.directStored(news)])
        let nobody = HubState()
        var actions: [HubAction] = []
        nobody.directNews(key(.bob), news, into: &actions)
        #expect(actions == [])
    }

    // MARK: Delivering

    @Test func entriesAreReadAndDeliveredToBothUsers() {
        var state = HubState()
        let read = reads(state.actions { $0.directStored(item(1, 4...5), now: .ms(0), into: &$1) })
        #expect(read.map(\.range) == [.after(3)])
        let actions = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 6, 4...6)), read[0], now: .ms(0), into: &$1)
        }
        // The entry 6 is other news.
        #expect(delivered(actions) == ["4 to alice", "4 to bob", "5 to alice", "5 to bob"])
        #expect(state.catchUps.isEmpty)
    }

    @Test func longNewsIsReadPageByPage() {
        var state = HubState()
        let first = reads(state.actions { $0.directStored(item(1, 4...9), now: .ms(0), into: &$1) })
        let actions = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 9, 4...6, more: true)), first[0], now: .ms(0), into: &$1)
        }
        let second = reads(actions)
        #expect(second.map(\.range) == [.after(6)])
        let rest = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 9, 7...9)), second[0], now: .ms(0), into: &$1)
        }
        #expect(delivered(rest).count == 6)
        #expect(state.catchUps.isEmpty)
    }

    @Test func newsDuringAReadIsReadAfterIt() {
        var state = HubState()
        let first = reads(state.actions { $0.directStored(item(1, 4...4), now: .ms(0), into: &$1) })
        #expect(reads(state.actions { $0.directStored(item(2, 5...5), now: .ms(0), into: &$1) }) == [])
        let actions = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 4, 4...4)), first[0], now: .ms(0), into: &$1)
        }
        #expect(delivered(actions) == ["4 to alice", "4 to bob"])
        #expect(reads(actions).map(\.range) == [.after(4)])
    }

    @Test func failedReadIsRepeated() {
        var state = HubState()
        let read = reads(state.actions { $0.directStored(item(1, 4...4), now: .ms(0), into: &$1) })
        let failed = state.actions {
            $0.historyRead(.catchUp, .failure(StoreError("away")), read[0], now: .ms(0), into: &$1)
        }
        #expect(failed == [.scheduleTimer(.ms(1000))])
        #expect(reads(state.actions { $0.timerFired(now: .ms(1000), into: &$1) }).map(\.range) == [.after(3)])
    }

    @Test func newsWaitsWhileTheStoreIsBusy() {
        var limits = Limits()
        limits.storeRequestsInFlightMax = 1
        var state = HubState(limits: limits)
        _ = state.actions { $0.published(.make(id: "m", in: direct), now: .ms(0), into: &$1) }
        #expect(reads(state.actions { $0.directStored(item(1, 4...4), now: .ms(0), into: &$1) }) == [])
        _ = state.actions {
            $0.stored(
                .make(id: "m", in: direct), .stored(Position(epoch: epoch, offset: 1), at: .ms(0)), now: .ms(1),
                into: &$1)
        }
        #expect(reads(state.actions { $0.timerFired(now: .ms(1000), into: &$1) }).map(\.range) == [.after(3)])
    }

    /// The conversation has another history since; its entries are other news.
    @Test func newsOfAnotherEpochIsDropped() {
        var state = HubState()
        let read = reads(state.actions { $0.directStored(item(1, 4...4), now: .ms(0), into: &$1) })
        let page = HistoryPage.make(head: 4, 4...4, epoch: Epoch("e2"))
        let actions = state.actions { $0.historyRead(.catchUp, .success(page), read[0], now: .ms(0), into: &$1) }
        #expect(delivered(actions) == [])
        #expect(state.catchUps.isEmpty)
    }

    // MARK: Lost news

    @Test func lostNewsMakesAllSessionsResync() {
        var state = makeReader()
        #expect(forwarded(answer([], hasGap: true, &state, now: .ms(1010))) == [.directNewsLost])
        var other = HubState()
        _ = other.actions { $0.connected(.number(1), .of(.bob), now: .ms(0), into: &$1) }
        #expect(
            other.actions { $0.receive(.directNewsLost, now: .ms(0), into: &$1) }
                == [.send(1, .close(.resyncNeeded))])
    }
}
