import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Messages that are stored but were not delivered: the hub reads and delivers them in order.
struct HubStateCatchUpTests {
    private let lost = AppendOutcome.failed(StoreError("the connection was lost"))
    private let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))

    private func readAfter(_ offset: Offset) -> HistoryRequest {
        HistoryRequest(room: .lobby, range: .after(offset), messagesMax: 500, bytesMax: 128 * 1024)
    }

    private var readDirect: HistoryRequest {
        HistoryRequest(room: direct, range: .newest, messagesMax: 100, bytesMax: 128 * 1024)
    }

    private func fail(_ appendRequest: AppendRequest, _ state: inout HubState, now: MonotonicTime = .ms(1000))
        -> [HubAction]
    {
        _ = state.actions { $0.published(appendRequest, now: now, into: &$1) }
        return state.actions { $0.stored(appendRequest, lost, now: now, into: &$1) }
    }

    private func read(
        _ page: HistoryPage, after offset: Offset, _ state: inout HubState, now: MonotonicTime = .ms(1000)
    )
        -> [HubAction]
    {
        state.actions { $0.historyRead(.catchUp, .success(page), readAfter(offset), now: now, into: &$1) }
    }

    private func told(_ actions: [HubAction]) -> [Offset] {
        actions.compactMap {
            if case .deliver(.message(_, let message), _, _) = $0 { message.offset } else { nil }
        }
    }

    private let refusal = Event.error(
        id: .named("m6"), code: .unavailable, message: "The message could not be stored. Send it again.",
        retryAfter: 1000)

    // MARK: Rooms

    @Test func unknownOutcomeIsReadAndDelivered() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let appendRequest = AppendRequest.make(id: "m6")
        #expect(fail(appendRequest, &state) == [.send(2, .reply(refusal)), .read(readAfter(5), .catchUp)])
        let actions = read(.make(head: 6, 6...6), after: 5, &state)
        #expect(told(actions) == [6])
        #expect(state.rooms[.lobby]?.head?.offset == 6)
        #expect(state.catchUps.isEmpty)
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func certainFailureIsNotReadFor() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let appendRequest = AppendRequest.make(id: "m6")
        _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
        let outcome = AppendOutcome.failed(StoreError("too much waits", mayBeStored: false))
        #expect(
            state.actions { $0.stored(appendRequest, outcome, now: .ms(1000), into: &$1) } == [
                .send(2, .reply(refusal))
            ])
    }

    @Test func emptyRoomNeedsNoCatchUp() {
        var state = HubState()
        #expect(fail(AppendRequest.make(id: "m6"), &state) == [.send(2, .reply(refusal))])
    }

    /// A stalled server may commit after the first check.
    @Test func unknownOutcomeIsReadForAMinute() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = fail(AppendRequest.make(id: "m6"), &state, now: .ms(0))
        var looks: [MonotonicTime] = [.ms(0)]
        var now = MonotonicTime.ms(0)
        while state.catchUps[.lobby] != nil {
            let actions = read(.make(head: 5), after: 5, &state, now: now)
            guard case .scheduleTimer(let due)? = actions.last else { break }
            now = due
            #expect(state.actions { $0.timerFired(now: now, into: &$1) }.contains(.read(readAfter(5), .catchUp)))
            looks.append(now)
        }
        #expect(looks == [0, 250, 750, 1750, 3750, 7750, 15_750, 31_750, 63_750].map { .ms($0) })
        #expect(state.catchUps.isEmpty)
        // The last check finds it.
        _ = fail(AppendRequest.make(id: "m6"), &state, now: .ms(100_000))
        _ = read(.make(head: 5), after: 5, &state, now: .ms(100_000))
        _ = state.actions { $0.timerFired(now: .ms(100_250), into: &$1) }
        #expect(told(read(.make(head: 6, 6...6), after: 5, &state, now: .ms(100_250))) == [6])
        #expect(state.catchUps.isEmpty)
    }

    @Test func unknownOutcomesOfARoomShareReads() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        for (id, time) in [("m6", 1000), ("m7", 1100)] as [(String, UInt64)] {
            #expect(fail(AppendRequest.make(id: id), &state, now: .ms(time)).last == .read(readAfter(5), .catchUp))
            _ = read(.make(head: 5), after: 5, &state, now: .ms(time))
        }
        let isRead = { (actions: [HubAction]) in actions.contains(.read(readAfter(5), .catchUp)) }
        #expect(!isRead(state.actions { $0.timerFired(now: .ms(1250), into: &$1) }), "the second doubt has put it off")
        #expect(isRead(state.actions { $0.timerFired(now: .ms(1350), into: &$1) }))
    }

    @Test func failedCatchUpReadIsRetried() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = fail(AppendRequest.make(id: "m6"), &state)
        let failure = Result<HistoryPage, StoreError>.failure(StoreError("away"))
        #expect(
            state.actions { $0.historyRead(.catchUp, failure, readAfter(5), now: .ms(1000), into: &$1) } == [
                .scheduleTimer(.ms(2000))
            ])
        #expect(state.actions { $0.timerFired(now: .ms(2000), into: &$1) }.contains(.read(readAfter(5), .catchUp)))
    }

    @Test func entriesBehindGapAreHeld() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        #expect(
            state.publish(offset: 7, now: .ms(1000)) == [
                .send(2, .reply(.ack("m7", offset: 7))), .read(readAfter(5), .catchUp),
            ])
        // More messages are stored during the read.
        #expect(state.publish(offset: 8, now: .ms(1000)) == [.send(2, .reply(.ack("m8", offset: 8)))])
        #expect(told(read(.make(head: 7, 6...7), after: 5, &state)) == [6, 7, 8])
        // The page didn't reach the newer messages. One more read ends the catch-up.
        #expect(read(.make(head: 8), after: 8, &state) == [])
        #expect(state.catchUps.isEmpty)
        #expect(told(state.publish(offset: 9, now: .ms(1000))) == [9])
    }

    /// The deletion was acknowledged while its message was held.
    @Test func heldDeletedMessageHasNoText() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = state.publish(offset: 7, now: .ms(1000))
        let request = ChangeRequest(of: 7, .delete(mayModerate: false))
        let draft = MessageDraft(
            room: .lobby, id: .named("d"), from: Member(user: .bob), receivedAt: .ms(0), request, text: "")
        let deletion = AppendRequest(requester: .session(2, id: "d"), draft: draft)
        _ = state.actions { $0.published(deletion, now: .ms(1000), into: &$1) }
        let change = MessageChange(of: 7, .deleted)
        _ = state.actions {
            $0.stored(
                deletion, .applied(Position(epoch: epoch, offset: 8), at: .ms(0), change), now: .ms(1000), into: &$1)
        }
        let actions = read(.make(head: 6, 6...6), after: 5, &state)
        #expect(told(actions) == [6, 7, 8])
        let texts = actions.compactMap { action -> String? in
            if case .deliver(.message(_, let message), _, _) = action, message.offset == 7 { message.text } else { nil }
        }
        #expect(texts == [""])
    }

    @Test func heldEntriesAreLimited() {
        var cluster = ClusterLimits()
        cluster.holdEntriesMax = 2
        var state = HubState.makeWithMembers(.alice, head: 5, cluster: cluster)
        for offset: Offset in 7...20 { _ = state.publish(offset: offset, now: .ms(1000)) }
        let actions = read(.make(head: 7, 6...7), after: 5, &state)
        #expect(told(actions) == [6, 7, 8])
        #expect(actions.last == .read(readAfter(8), .catchUp), "the rest is read")
        #expect(told(read(.make(head: 20, 9...20), after: 8, &state)) == Array(9...20))
        #expect(state.catchUps.isEmpty)
    }

    @Test func largeGapIsReadPageByPage() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = state.publish(offset: 900, now: .ms(1000))
        let actions = read(.make(head: 900, 6...505, more: true), after: 5, &state)
        #expect(told(actions) == Array(6...505))
        #expect(actions.last == .read(readAfter(505), .catchUp))
        #expect(told(read(.make(head: 900, 506...900), after: 505, &state)) == Array(506...900))
        #expect(state.catchUps.isEmpty)
    }

    @Test func undeliveredRepeatIsDelivered() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let appendRequest = AppendRequest.make(id: "m6")
        _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
        let outcome = AppendOutcome.duplicate(Position(epoch: epoch, offset: 6), at: .ms(0))
        let actions = state.actions { $0.stored(appendRequest, outcome, now: .ms(1000), into: &$1) }
        #expect(actions.first == .send(2, .reply(.ack("m6", offset: 6, isDuplicate: true))))
        #expect(actions.last == .read(readAfter(5), .catchUp))
        #expect(told(read(.make(head: 6, 6...6), after: 5, &state)) == [6])
    }

    @Test func unfillableGapForcesResync() {
        for page in [HistoryPage.make(head: 9, 8...9), .make(head: 9), .make(head: 9, 6...9, epoch: Epoch("e2"))] {
            var state = HubState.makeWithMembers(.alice, head: 5)
            _ = state.publish(offset: 9, now: .ms(1000))
            #expect(read(page, after: 5, &state).last == .send(1, .close(.resyncNeeded)))
            #expect(state.catchUps.isEmpty)
        }
    }

    @Test func emptiedRoomEndsCatchUp() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = fail(AppendRequest.make(id: "m6"), &state)
        _ = state.actions { $0.left(.number(1), .lobby, id: nil, now: .ms(1000), into: &$1) }
        #expect(read(.make(head: 6, 6...6), after: 5, &state) == [])
        #expect(state.catchUps.isEmpty)
    }

    // MARK: Direct conversations

    private func directMessages(_ actions: [HubAction]) -> [String] {
        actions.compactMap {
            guard case .forward(.userAddressed(let user, .directMessage(_, _, let message))) = $0 else { return nil }
            return "\(message.id) to \(user.user)"
        }
    }

    @Test func directMessageWithUnknownOutcomeIsDelivered() {
        var state = HubState()
        let appendRequest = AppendRequest.make(id: "m6", in: direct)
        #expect(fail(appendRequest, &state).last == .read(readDirect, .catchUp))
        let found = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 7, 5...7)), readDirect, now: .ms(1000), into: &$1)
        }
        #expect(directMessages(found) == ["m6 to alice", "m6 to bob"], "only what was in doubt")
        #expect(state.catchUps.isEmpty)
    }

    @Test func directMessageInDoubtIsReadAgain() {
        var state = HubState()
        _ = fail(AppendRequest.make(id: "m6", in: direct), &state)
        let nothing = state.actions {
            $0.historyRead(.catchUp, .success(.make(head: 5)), readDirect, now: .ms(1000), into: &$1)
        }
        #expect(nothing == [.scheduleTimer(.ms(1250))])
        #expect(state.actions { $0.timerFired(now: .ms(1250), into: &$1) } == [.read(readDirect, .catchUp)])
    }

    /// It is unknown whether the message was delivered: clients that have it ignore the repeat.
    @Test func repeatedDirectMessageIsSentAgain() {
        var state = HubState()
        let appendRequest = AppendRequest.make(id: "m6", in: direct)
        _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
        let outcome = AppendOutcome.duplicate(Position(epoch: epoch, offset: 6), at: .ms(0))
        let read = HistoryRequest(room: direct, range: .after(5), messagesMax: 1, bytesMax: 128 * 1024)
        let actions = state.actions { $0.stored(appendRequest, outcome, now: .ms(1000), into: &$1) }
        #expect(actions.first == .send(2, .reply(.ack("m6", room: direct.name, offset: 6, isDuplicate: true))))
        #expect(actions.last == .read(read, .repeated))
        let found = state.actions {
            $0.historyRead(.repeated, .success(.make(head: 9, 6...6, more: true)), read, now: .ms(1000), into: &$1)
        }
        #expect(directMessages(found) == ["m6 to alice", "m6 to bob"])
        #expect(state.storeRequestsInFlight == 0)
    }

    /// No order is broken, and the head must not stay behind for as long as the conversation is in memory.
    @Test func directConversationHasNoGaps() {
        var state = HubState()
        state.join(.make(.number(1), .alice, room: direct), head: 5, now: .ms(0))
        state.rooms[direct, default: Room()].joining.insert(.number(9))
        _ = state.rooms[direct]?.adoptHead(Position(epoch: epoch, offset: 5))
        #expect(directMessages(state.publish(offset: 7, to: direct, now: .ms(1000))) == ["m7 to alice", "m7 to bob"])
        #expect(state.rooms[direct]?.head?.offset == 7)
        #expect(state.catchUps.isEmpty)
    }

    @Test func conversationsInDoubtAreLimited() {
        var limits = Limits()
        limits.storeRequestsInFlightMax = 2
        var state = HubState(limits: limits)
        for name in ["u1", "u2", "u3"] {
            let room = RoomID(tenant: .standard, name: .direct(.bob, .named(name)))
            let appendRequest = AppendRequest.make(id: "m", in: room)
            // One at a time, so that the request queue has space.
            state.storeRequestsInFlight = 0
            _ = fail(appendRequest, &state)
        }
        #expect(state.catchUps.count == 2)
    }
}
