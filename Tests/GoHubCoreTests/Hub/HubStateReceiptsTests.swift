import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Receipts: which events they cause and when, which are stored, and which are dropped.
struct HubStateReceiptsTests {
    private let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))

    /// Alice and Bob in the lobby, which has 5 stored messages.
    private var state = HubState.makeWithMembers(.alice, .bob, head: 5)

    private func note(_ user: UserID, _ receipt: Receipt, in room: RoomID = .lobby) -> ReceiptNote {
        ReceiptNote(room: room, epoch: epoch, user: user, receipt)
    }

    private func told(_ receipts: UserReceipt...) -> HubAction {
        .deliver(.receipt(room: .lobby, receipts))
    }

    // MARK: Events

    @Test mutating func receiptIsStoredAfterDelayThenSent() {
        #expect(
            state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1000), into: &$1) } == [
                .scheduleTimer(.ms(1250))
            ])
        #expect(state.actions { $0.timerFired(now: .ms(1249), into: &$1) } == [.scheduleTimer(.ms(1250))])
        #expect(
            state.actions { $0.timerFired(now: .ms(1250), into: &$1) } == [
                .storeReceipts([note(.alice, Receipt(seen: 3))])
            ])
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1300), into: &$1) } == [
                told(UserReceipt(user: .alice, Receipt(seen: 3)))
            ])
    }

    @Test mutating func receiptsWithinDelayAreMerged() {
        for offset in 1...5 {
            _ = state.actions {
                $0.receipted(.alice, .lobby, Receipt(delivered: UInt64(offset)), now: .ms(1000), into: &$1)
            }
            _ = state.actions { $0.receipted(.bob, .lobby, Receipt(seen: UInt64(offset)), now: .ms(1001), into: &$1) }
        }
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 2), now: .ms(1100), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) } == [
                told(
                    UserReceipt(user: .alice, Receipt(delivered: 5, seen: 2)), UserReceipt(user: .bob, Receipt(seen: 5))
                )
            ])
    }

    @Test mutating func unstoredReceiptsAreNotSent() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1251), into: &$1) }
        #expect(state.receipts(of: .lobby) == [], "before it has answered")
        #expect(
            state.actions { $0.receiptsStored(.failure(StoreError("x")), now: .ms(1300), into: &$1) } == [
                .scheduleTimer(.ms(1550))
            ])
        #expect(state.receipts(of: .lobby) == [], "after it has failed")
        #expect(
            state.actions { $0.timerFired(now: .ms(1550), into: &$1) } == [
                .storeReceipts([note(.alice, Receipt(seen: 4))])
            ])
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 5), now: .ms(1551), into: &$1) }
        let stored = UserReceipt(user: .alice, Receipt(seen: 4))
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1560), into: &$1) } == [
                told(stored), .scheduleTimer(.ms(1810)),
            ],
            "what came meanwhile is still to come")
        #expect(state.receipts(of: .lobby) == [stored])
    }

    /// The room is told at most once in the delay, however long the store takes.
    @Test mutating func nextWriteWaitsForDelayAfterLast() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        #expect(state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1251), into: &$1) } == [])
        _ = state.publish(offset: 6, now: .ms(1252))
        #expect(state.actions { $0.timerFired(now: .ms(9000), into: &$1) } == [])
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(9000), into: &$1) }.last
                == .scheduleTimer(.ms(9250)))
    }

    @Test mutating func staleReceiptsAreDropped() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(2000), into: &$1) }
        _ = state.actions { $0.receiptsStored(.success(()), now: .ms(2000), into: &$1) }
        for receipt in [Receipt(seen: 4), Receipt(seen: 3), Receipt(delivered: 4), Receipt(delivered: 1)] {
            #expect(
                state.actions { $0.receipted(.alice, .lobby, receipt, now: .ms(2000), into: &$1) } == [],
                "not growing: \(receipt)")
        }
        for receipt in [Receipt(seen: 6), Receipt(delivered: 6), Receipt(seen: .max)] {
            #expect(
                state.actions { $0.receipted(.alice, .lobby, receipt, now: .ms(2000), into: &$1) } == [],
                "beyond the head: \(receipt)")
        }
        #expect(
            state.actions { $0.receipted(.carol, .lobby, Receipt(seen: 3), now: .ms(2000), into: &$1) } == [],
            "no member's")
        #expect(
            state.actions { $0.receipted(.alice, .named("other"), Receipt(seen: 1), now: .ms(2000), into: &$1) } == [],
            "no room")
    }

    @Test mutating func ownMessageCountsAsSeenWithoutReceipt() {
        _ = state.publish(offset: 6, now: .ms(1000))
        #expect(
            state.actions { $0.receipted(.bob, .lobby, Receipt(seen: 5), now: .ms(1000), into: &$1) } == [],
            "bob has sent the sixth")
        #expect(
            state.actions { $0.timerFired(now: .ms(1250), into: &$1) } == [
                .storeReceipts([note(.bob, Receipt(seen: 6))])
            ])
        #expect(state.actions { $0.receiptsStored(.success(()), now: .ms(1300), into: &$1) } == [])
        #expect(state.receipts(of: .lobby) == [UserReceipt(user: .bob, Receipt(seen: 6))])
    }

    /// Its message came before.
    @Test mutating func receiptOlderThanOwnMessageWaits() {
        _ = state.actions { $0.receipted(.bob, .lobby, Receipt(seen: 5), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        _ = state.publish(offset: 6, now: .ms(1251))
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) } == [.scheduleTimer(.ms(1510))])
        #expect(
            state.actions { $0.timerFired(now: .ms(1510), into: &$1) } == [
                .storeReceipts([note(.bob, Receipt(seen: 6))])
            ])
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1520), into: &$1) } == [
                told(UserReceipt(user: .bob, Receipt(seen: 6)))
            ])
    }

    /// They lack the message that carried the receipt. The repeat is acknowledged with the old offset, which doesn't
    /// reflect the sender's later progress.
    @Test mutating func repeatedMessageNeverLowersReceipt() {
        _ = state.actions { $0.receipted(.bob, .lobby, Receipt(seen: 3), now: .ms(1000), into: &$1) }
        #expect(
            state.actions { $0.timerFired(now: .ms(1250), into: &$1) } == [
                .storeReceipts([note(.bob, Receipt(seen: 3))])
            ])
        _ = state.publish(offset: 6, by: .bob, now: .ms(1251))
        let repeated = AppendRequest.make(.bob, id: "m1")
        _ = state.actions { $0.published(repeated, now: .ms(1252), into: &$1) }
        _ = state.actions {
            $0.stored(repeated, .duplicate(Position(epoch: epoch, offset: 1), at: .ms(0)), now: .ms(1252), into: &$1)
        }
        #expect(
            !state.actions { $0.receiptsStored(.success(()), now: .ms(1300), into: &$1) }.contains(
                told(UserReceipt(user: .bob, Receipt(seen: 3)))))
    }

    @Test mutating func resyncedMemberGetsReceiptsOfMessages() {
        _ = state.actions { $0.receipted(.bob, .lobby, Receipt(seen: 5), now: .ms(1000), into: &$1) }
        #expect(
            state.actions { $0.timerFired(now: .ms(1250), into: &$1) } == [
                .storeReceipts([note(.bob, Receipt(seen: 5))])
            ])
        _ = state.publish(offset: 6, by: .bob, now: .ms(1251))
        _ = state.actions { $0.resync(.lobby, now: .ms(0), into: &$1) }
        // Alice comes back. The store has neither receipt yet.
        state.join(.make(.number(3), .alice, since: 6), head: 6, now: .ms(1253))
        #expect(
            !state.actions { $0.receiptsStored(.success(()), now: .ms(1300), into: &$1) }.contains(
                told(UserReceipt(user: .bob, Receipt(seen: 5)))))
        let next = state.actions { $0.timerFired(now: .ms(1550), into: &$1) }.flatMap { action -> [ReceiptNote] in
            if case .storeReceipts(let notes) = action { notes } else { [] }
        }
        #expect(next.contains(note(.bob, Receipt(seen: 6))))
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1560), into: &$1) }.contains(
                told(UserReceipt(user: .bob, Receipt(seen: 6))))
        )
    }

    @Test mutating func joinBeforeStoredReceiptGetsItLater() {
        _ = state.publish(offset: 6, now: .ms(1000))
        #expect(
            state.actions { $0.joined(.make(.number(3), .carol), now: .ms(1001), into: &$1) }.first
                == .send(3, .joined(Event.joined(head: 6, members: .alice, .bob, .carol))))
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) } == [
                told(UserReceipt(user: .bob, Receipt(seen: 6)))
            ])
    }

    @Test mutating func repeatOfOlderMessageKeepsNewerReceipt() {
        _ = state.publish(offset: 6, now: .ms(1000))
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        _ = state.publish(offset: 7, now: .ms(1251))
        state.join(.make(.number(3), .carol), now: .ms(1252))
        let repeated = AppendRequest.make(id: "m6")
        _ = state.actions { $0.published(repeated, now: .ms(1253), into: &$1) }
        _ = state.actions {
            $0.stored(
                repeated, .duplicate(Position(epoch: epoch, offset: 6), at: .ms(0)), now: .ms(1253), into: &$1)
        }
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) } == [.scheduleTimer(.ms(1510))])
    }

    @Test mutating func manyConsecutiveSendersAreApplied() {
        var senders = [UserID.alice, .bob]
        for offset in UInt64(6)...205 {
            _ = state.publish(offset: offset, by: senders[0], now: .ms(1000))
            senders.swapAt(0, 1)
        }
        guard case .storeReceipts(let batch)? = state.actions({ $0.timerFired(now: .ms(1250), into: &$1) }).first else {
            Issue.record("nothing stored")
            return
        }
        #expect(Set(batch) == [note(.alice, Receipt(seen: 204)), note(.bob, Receipt(seen: 205))])
        _ = state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) }
        #expect(
            state.receipts(of: .lobby) == [
                UserReceipt(user: .alice, Receipt(seen: 204)), UserReceipt(user: .bob, Receipt(seen: 205)),
            ])
    }

    @Test mutating func emptiedRoomStoresSentReceipts() {
        _ = state.publish(offset: 6, now: .ms(1000))
        _ = state.actions { $0.left(.number(1), .lobby, id: nil, now: .ms(1001), into: &$1) }
        _ = state.actions { $0.left(.number(2), .lobby, id: nil, now: .ms(1001), into: &$1) }
        #expect(state.roomCount == 0)
        #expect(
            state.actions { $0.timerFired(now: .ms(1250), into: &$1) }.first
                == .storeReceipts([note(.bob, Receipt(seen: 6))]))
    }

    @Test func tooManyReceiptsAreStoredButNotSent() {
        var limits = Limits()
        limits.receiptUsersMax = 2
        var state = HubState.makeWithMembers(.alice, .bob, .carol, head: 5, limits: limits)
        for user in [UserID.alice, .bob, .carol, .alice] {
            _ = state.actions { $0.receipted(user, .lobby, Receipt(seen: 5), now: .ms(1000), into: &$1) }
        }
        guard case .storeReceipts(let batch)? = state.actions({ $0.timerFired(now: .ms(1250), into: &$1) }).first else {
            Issue.record("nothing stored")
            return
        }
        #expect(Set(batch) == Set([UserID.alice, .bob, .carol].map { note($0, Receipt(seen: 5)) }))
        #expect(state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) } == [])
        #expect(state.receipts(of: .lobby) == [])
    }

    // MARK: Joining

    @Test func firstJoinGetsStoredReceiptsNextKnownOnes() {
        var state = HubState()
        let request = JoinRequest.make(.number(1), .alice)
        guard case .read(let read, let pending)? = state.actions({ $0.joined(request, now: .ms(0), into: &$1) }).first
        else {
            Issue.record("nothing read")
            return
        }
        var page = HistoryPage.make(head: 5)
        page.receipts = [UserReceipt(user: .bob, Receipt(seen: 2)), UserReceipt(user: .alice, Receipt(delivered: 1))]
        let receipts = [UserReceipt(user: .alice, Receipt(delivered: 1)), UserReceipt(user: .bob, Receipt(seen: 2))]
        #expect(
            state.actions { $0.historyRead(pending, .success(page), read, now: .ms(0), into: &$1) }.first
                == .send(1, .joined(Event.joined(head: 5, members: .alice, receipts: receipts))))
        #expect(
            state.actions { $0.receipted(.alice, .lobby, Receipt(delivered: 1), now: .ms(1), into: &$1) } == [],
            "known from the store")
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 5), now: .ms(1), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(251), into: &$1) }
        _ = state.actions { $0.receiptsStored(.success(()), now: .ms(252), into: &$1) }
        let now = [UserReceipt(user: .alice, Receipt(seen: 5)), UserReceipt(user: .bob, Receipt(seen: 2))]
        #expect(
            state.actions { $0.joined(.make(.number(2), .bob), now: .ms(253), into: &$1) }.first
                == .send(2, .joined(Event.joined(head: 5, members: .alice, .bob, receipts: now))))
    }

    /// The room left memory before the receipt was stored: a returning user gets the receipt only after that.
    @Test(arguments: [false, true])
    func inFlightReceiptsReachNextJoinOnceStored(isInFlight: Bool) {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.left(.number(1), .lobby, id: nil, now: .ms(1000), into: &$1) }
        #expect(state.roomCount == 0)
        if isInFlight { _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) } }
        state.join(.make(.number(1), .alice), head: 5, now: .ms(1251))
        #expect(state.receipts(of: .lobby) == [])
        #expect(
            state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1252), into: &$1) } == [], "no news"
        )
        if !isInFlight { _ = state.actions { $0.timerFired(now: .ms(1253), into: &$1) } }
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1300), into: &$1) }.contains(
                told(UserReceipt(user: .alice, Receipt(seen: 4)))))
        #expect(state.receipts(of: .lobby) == [UserReceipt(user: .alice, Receipt(seen: 4))])
    }

    /// The page was read before, and arrives after.
    @Test func receiptsStoredDuringReadAreInTheJoin() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.left(.number(1), .lobby, id: nil, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        guard
            case .read(let read, let pending)? = state.actions({
                $0.joined(.make(.number(2), .bob), now: .ms(1251), into: &$1)
            }).first
        else {
            Issue.record("nothing read")
            return
        }
        _ = state.actions { $0.receiptsStored(.success(()), now: .ms(1252), into: &$1) }
        let receipts = [UserReceipt(user: .alice, Receipt(seen: 4))]
        #expect(
            state.actions { $0.historyRead(pending, .success(.make(head: 5)), read, now: .ms(1253), into: &$1) }.first
                == .send(2, .joined(Event.joined(head: 5, members: .bob, receipts: receipts))))
    }

    @Test mutating func receiptsOfAnotherEpochAreNotSent() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        _ = state.actions { $0.resync(.lobby, now: .ms(0), into: &$1) }
        #expect(state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) } == [])
        #expect(state.receipts(of: .lobby) == [])
    }

    @Test mutating func resyncForgetsReceipts() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.resync(.lobby, now: .ms(0), into: &$1) }
        #expect(state.receipts(of: .lobby) == [])
        #expect(state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 5), now: .ms(1002), into: &$1) } == [])
    }

    // MARK: Storing

    @Test mutating func receiptWritesAreSequential() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1000), into: &$1) }
        #expect(
            state.actions { $0.timerFired(now: .ms(1250), into: &$1) }.last
                == .storeReceipts([note(.alice, Receipt(seen: 3))]))
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1250), into: &$1) }
        #expect(state.actions { $0.timerFired(now: .ms(2500), into: &$1) } == [])
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(2600), into: &$1) }.last
                == .scheduleTimer(.ms(2850)))
        #expect(
            state.actions { $0.timerFired(now: .ms(2850), into: &$1) } == [
                .storeReceipts([note(.alice, Receipt(seen: 4))])
            ])
    }

    @Test mutating func failedReceiptsAreRetriedWithNewOnes() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(delivered: 4), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1600), into: &$1) }
        #expect(
            state.actions { $0.receiptsStored(.failure(StoreError("x")), now: .ms(2300), into: &$1) } == [
                .scheduleTimer(.ms(2550))
            ])
        let both = Receipt(delivered: 4, seen: 3)
        #expect(state.actions { $0.timerFired(now: .ms(2550), into: &$1) } == [.storeReceipts([note(.alice, both)])])
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(2900), into: &$1) } == [
                told(UserReceipt(user: .alice, both))
            ])
    }

    @Test(arguments: [false, true]) func waitingReceiptsAreLimited(isInFlight: Bool) {
        var limits = Limits()
        limits.receiptsWaitingMax = 1
        var state = HubState.makeWithMembers(.alice, .bob, head: 5, limits: limits)
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1000), into: &$1) }
        if isInFlight { _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) } }
        _ = state.actions { $0.receipted(.bob, .lobby, Receipt(seen: 3), now: .ms(1251), into: &$1) }
        if isInFlight {
            _ = state.actions { $0.receiptsStored(.failure(StoreError("x")), now: .ms(1252), into: &$1) }
        } else {
            _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1252), into: &$1) }
        }
        let expected = note(.alice, Receipt(seen: isInFlight ? 3 : 4))
        #expect(state.actions { $0.timerFired(now: .ms(1502), into: &$1) }.last == .storeReceipts([expected]))
        _ = state.actions { $0.receiptsStored(.success(()), now: .ms(1503), into: &$1) }
        _ = state.actions { $0.receipted(.bob, .lobby, Receipt(seen: 3), now: .ms(1504), into: &$1) }
        #expect(
            state.actions { $0.timerFired(now: .ms(1800), into: &$1) } == [
                .storeReceipts([note(.bob, Receipt(seen: 3))])
            ],
            "what was left out is news when it is said again")
    }

    @Test func unavailableStoreKeepsNoEmptyRooms() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 4), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        _ = state.actions { $0.left(.number(1), .lobby, id: nil, now: .ms(1251), into: &$1) }
        #expect(state.roomCount == 0)
        _ = state.actions { $0.receiptsStored(.failure(StoreError("x")), now: .ms(1252), into: &$1) }
        #expect(
            state.actions { $0.timerFired(now: .ms(1502), into: &$1) }.first
                == .storeReceipts([note(.alice, Receipt(seen: 4))]))
        #expect(state.actions { $0.receiptsStored(.success(()), now: .ms(1503), into: &$1) } == [])
    }

    @Test func manyReceiptsAreWrittenInParts() {
        var writer = ReceiptWriter()
        for number in 0..<5000 {
            let room = RoomID.named("r\(number % 7)")
            let isNoted = writer.note(room, epoch, .named("u\(number)"), Receipt(seen: 1), max: 10_000)
            #expect(isNoted)
        }
        var written: [ReceiptNote] = []
        var sizes: [Int] = []
        while true {
            let batch = writer.nextBatch()
            guard !batch.isEmpty else { break }
            sizes.append(batch.count)
            written += batch
            let stored = writer.completed(isStored: true)
            #expect(stored.values.reduce(0) { $0 + $1.receipts.count } == batch.count)
        }
        #expect(sizes == [4096, 904])
        #expect(Set(written).count == 5000)
        #expect(writer.isEmpty)
    }

    @Test mutating func drainStoresReceiptsBeforeItEnds() {
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1000), into: &$1) }
        _ = state.actions { $0.drainStarted(DrainPlan(closeOver: 0, reconnectOver: 0), now: .ms(1001), into: &$1) }
        var last: [HubAction] = []
        for (serial, user) in [(UInt64(1), UserID.alice), (2, .bob)] {
            _ = state.actions { $0.sessionEnded(.number(serial), .of(user), .lobby, now: .ms(1100), into: &$1) }
            _ = state.actions { $0.roomCleared(.number(serial), .of(user), now: .ms(0), into: &$1) }
            last = state.actions { $0.disconnected(.number(serial), .of(user), rooms: 1, now: .ms(0), into: &$1) }
        }
        #expect(last == [.storeReceipts([note(.alice, Receipt(seen: 3))])])
        #expect(state.actions { $0.receiptsStored(.success(()), now: .ms(1200), into: &$1) }.last == .drained)
    }

    @Test mutating func failingStoreDoesNotBlockDrain() {
        _ = state.actions { $0.drainStarted(DrainPlan(closeOver: 0, reconnectOver: 0), now: .ms(1001), into: &$1) }
        #expect(
            state.actions { $0.receipted(.alice, .lobby, Receipt(seen: 3), now: .ms(1002), into: &$1) }.first
                == .storeReceipts([note(.alice, Receipt(seen: 3))]), "at once")
        for (serial, user) in [(UInt64(1), UserID.alice), (2, .bob)] {
            _ = state.actions { $0.sessionEnded(.number(serial), .of(user), .lobby, now: .ms(1100), into: &$1) }
            _ = state.actions { $0.roomCleared(.number(serial), .of(user), now: .ms(0), into: &$1) }
            #expect(
                state.actions { $0.disconnected(.number(serial), .of(user), rooms: 1, now: .ms(0), into: &$1) } == [])
        }
        #expect(state.actions { $0.receiptsStored(.failure(StoreError("x")), now: .ms(1200), into: &$1) } == [.drained])
    }

    // MARK: Direct conversations

    @Test func directReceiptIsReadThenSentToBoth() {
        var state = HubState()
        let read = HistoryRequest(room: direct, range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: 201)
        #expect(
            state.actions { $0.receipted(.bob, direct, Receipt(delivered: 2), now: .ms(0), into: &$1) } == [
                .read(read, .receipts)
            ])
        #expect(
            state.actions { $0.receipted(.bob, direct, Receipt(seen: 1), now: .ms(1), into: &$1) } == [],
            "one read for both")
        var page = HistoryPage.make(head: 2)
        page.receipts = [UserReceipt(user: .alice, Receipt(seen: 2)), UserReceipt(user: .bob, Receipt())]
        #expect(
            state.actions { $0.historyRead(.receipts, .success(page), read, now: .ms(2), into: &$1) } == [
                .scheduleTimer(.ms(252))
            ])
        let event = Event.receipt(
            room: direct.name, [UserReceipt(user: .bob, Receipt(delivered: 2, seen: 1))])
        #expect(
            state.actions { $0.timerFired(now: .ms(252), into: &$1) }
                == [.storeReceipts([note(.bob, Receipt(delivered: 2, seen: 1), in: direct)])])
        _ = state.actions { $0.receiptsStored(.failure(StoreError("x")), now: .ms(260), into: &$1) }
        #expect(state.roomCount == 1, "its users are still to be told")
        _ = state.actions { $0.timerFired(now: .ms(510), into: &$1) }
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(520), into: &$1) } == [
                .forward(.userAddressed(UserKey(tenant: .standard, user: .alice), event)),
                .forward(.userAddressed(UserKey(tenant: .standard, user: .bob), event)),
            ])
        #expect(state.roomCount == 0, "nothing of it is kept")
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test(arguments: [Result<HistoryPage, StoreError>.failure(StoreError("x")), .success(.make(head: 1))])
    func impossibleDirectReceiptIsDropped(_ result: Result<HistoryPage, StoreError>) {
        var state = HubState()
        guard
            case .read(let read, let pending)? = state.actions({
                $0.receipted(.bob, direct, Receipt(seen: 2), now: .ms(0), into: &$1)
            }).first
        else {
            Issue.record("nothing read")
            return
        }
        #expect(state.actions { $0.historyRead(pending, result, read, now: .ms(1), into: &$1) } == [])
        #expect(state.roomCount == 0)
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func directMessageMakesConversationARoomOfBoth() {
        var state = HubState()
        _ = state.publish(offset: 1, to: direct, now: .ms(0))
        guard case .storeReceipts(let batch)? = state.actions({ $0.timerFired(now: .ms(250), into: &$1) }).first else {
            Issue.record("nothing stored")
            return
        }
        #expect(Set(batch) == [note(.bob, Receipt(seen: 1), in: direct), note(.alice, Receipt(), in: direct)])
    }

    @Test func serversDirectMessageMakesConversationARoomOfBoth() {
        var state = HubState()
        _ = state.publish(offset: 1, by: .carol, to: direct, now: .ms(0))
        guard case .storeReceipts(let batch)? = state.actions({ $0.timerFired(now: .ms(250), into: &$1) }).first else {
            Issue.record("nothing stored")
            return
        }
        #expect(Set(batch) == [note(.alice, Receipt(), in: direct), note(.bob, Receipt(), in: direct)])
    }

    // MARK: A user's rooms

    @Test func roomsAreReadFromTheStore() {
        var state = HubState()
        let request = RoomsRequest(
            user: UserKey(tenant: .standard, user: .alice), grants: .participant, roomsMax: 10, bytesMax: 100)
        let page = RoomsPage(
            rooms: [
                RoomsPage.Room(
                    room: .lobby, head: Position(epoch: epoch, offset: 5), receipt: Receipt(delivered: 4, seen: 2),
                    last: nil)
            ])
        #expect(page.rooms[0].unread == 3)
        #expect(
            state.actions { $0.roomsRequested(.session(1), request, into: &$1) } == [.readRooms(request, .session(1))])
        #expect(
            state.actions { $0.roomsRead(.session(1), .success(page), into: &$1) } == [
                .send(1, .reply(.rooms(id: .named("r"), page)))
            ])
        #expect(state.storeRequestsInFlight == 0)
        _ = state.actions { $0.roomsRequested(.session(1), request, into: &$1) }
        guard
            case .send(_, .reply(.error(_, .unavailable, _, _)))? =
                state.actions({ $0.roomsRead(.session(1), .failure(StoreError("x")), into: &$1) }).first
        else {
            Issue.record("not refused")
            return
        }
    }
}
