import GoHubTestSupport
import Testing

@testable import GoHubCore

/// A join and its answer: no message is missed between the answer and the deliveries after it, and none comes twice.
struct HubStateJoinTests {
    /// The first join also reads receipts, one more than the limit, and mutes and bans.
    private let readNewest = HistoryRequest(
        room: .lobby, range: .newest, messagesMax: 1, bytesMax: 128 * 1024, receiptsMax: 201, sanctionsMax: 100_000)

    private func readAfter(_ offset: Offset, isFirst: Bool = false) -> HistoryRequest {
        HistoryRequest(
            room: .lobby, range: .after(offset), messagesMax: 500, bytesMax: 128 * 1024, receiptsMax: isFirst ? 201 : 0)
    }

    /// Bob has sent the last message.

    // MARK: The first join

    @Test func firstJoinReadsTheHead() {
        var state = HubState()
        let request = JoinRequest.make(.number(1), .alice)
        #expect(state.actions { $0.joined(request, now: .ms(0), into: &$1) } == [.read(readNewest, .join(request))])
        #expect(!state.isMember(1))
        #expect(
            state.actions {
                $0.historyRead(
                    .join(request), .success(.make(head: 7, 7...7, more: true)), readNewest, now: .ms(1), into: &$1)
            } == [
                .send(1, .joined(Event.joined(head: 7, members: .alice))),
                .scheduleTimer(.ms(501)), .scheduleTimer(.ms(251)),
            ])
        #expect(state.isMember(1))
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func joinWithLimitGetsNewest() {
        var state = HubState()
        let request = JoinRequest.make(.number(1), .alice, limit: 3)
        var read = readNewest
        read.messagesMax = 3
        #expect(state.actions { $0.joined(request, now: .ms(0), into: &$1) } == [.read(read, .join(request))])
        #expect(
            state.actions {
                $0.historyRead(
                    .join(request), .success(.make(head: 7, 5...7, more: true)), read, now: .ms(0), into: &$1)
            }.first
                == .send(1, .joined(Event.joined(head: 7, 5...7, members: .alice))))
    }

    @Test func theNextJoinNeedsNoStore() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        #expect(
            state.actions { $0.joined(.make(.number(3), .carol), now: .ms(1000), into: &$1) } == [
                .send(3, .joined(Event.joined(head: 5, members: .alice, .bob, .carol))),
                .scheduleTimer(.ms(1500)), .scheduleTimer(.ms(1250)),
            ])
    }

    @Test func failingStoreRefusesJoin() {
        var state = HubState()
        let request = JoinRequest.make(.number(1), .alice)
        _ = state.actions { $0.joined(request, now: .ms(0), into: &$1) }
        #expect(
            state.actions {
                $0.historyRead(.join(request), .failure(StoreError("x")), readNewest, now: .ms(0), into: &$1)
            } == [
                .send(
                    1,
                    .joinRefused(
                        .lobby,
                        .error(
                            id: .named("j"), code: .unavailable,
                            message: "The store is unavailable. Try again shortly.", retryAfter: 1000)
                    ))
            ])
        #expect(!state.isMember(1))
        #expect(state.rooms.isEmpty, "nothing is kept of it")
        #expect(state.storeRequestsInFlight == 0)
    }

    // MARK: Coming back

    @Test func smallGapIsServedFromMemory() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        for offset in 6...9 { _ = state.publish(offset: Offset(offset), now: .ms(1000)) }
        for (since, missed): (Offset, ClosedRange<Offset>?) in [(5, 6...9), (8, 9...9), (9, nil)] {
            #expect(
                state.actions { $0.joined(.make(.number(1), .alice, since: since), now: .ms(1000), into: &$1) } == [
                    .send(
                        1,
                        .joined(Event.joined(head: 9, recovered: true, missed, members: .alice))
                    )
                ])
        }
        #expect(
            state.actions { $0.joined(.make(.number(1), .alice, limit: 2), now: .ms(1000), into: &$1) } == [
                .send(1, .joined(Event.joined(head: 9, 8...9, members: .alice)))
            ])
    }

    @Test func largeGapIsServedFromStore() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        _ = state.publish(offset: 6, now: .ms(1000))
        let request = JoinRequest.make(.number(1), .alice, since: 3)
        #expect(
            state.actions { $0.joined(request, now: .ms(1000), into: &$1) } == [.read(readAfter(3), .join(request))])
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 6, 4...6)), readAfter(3), now: .ms(1000), into: &$1)
            } == [
                .send(
                    1, .joined(Event.joined(head: 6, recovered: true, 4...6, members: .alice)))
            ])
    }

    @Test(arguments: [
        // Too far behind: the page is incomplete.
        HistoryPage.make(head: 900, 4...503, more: true),
        // The oldest messages are gone from the store.
        HistoryPage.make(head: 900, 800...900),
        HistoryPage.make(head: 900),
        // Another epoch, or a client that knows more than the store.
        HistoryPage.make(head: 900, 4...900, epoch: Epoch("e2")),
        HistoryPage.make(head: 2),
    ])
    func incompleteRecoveryReturnsNothing(_ page: HistoryPage) {
        var state = HubState()
        let request = JoinRequest.make(.number(1), .alice, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(0), into: &$1) }
        let expected = Event.joined(head: page.head.offset, members: .alice, epoch: page.head.epoch)
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(page), readAfter(3, isFirst: true), now: .ms(0), into: &$1)
            }.first
                == .send(1, .joined(expected)))
    }

    @Test func positionOfOtherEpochIsNotRecovered() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        var request = JoinRequest.make(.number(1), .alice)
        request.since = Position(epoch: Epoch("older"), offset: 5)
        #expect(
            state.actions { $0.joined(request, now: .ms(1000), into: &$1) } == [
                .send(1, .joined(Event.joined(head: 5, members: .alice)))
            ])
        request.since = Position(epoch: epoch, offset: 6)
        #expect(
            state.actions { $0.joined(request, now: .ms(1000), into: &$1) } == [
                .send(1, .joined(Event.joined(head: 5, members: .alice)))
            ])
    }

    @Test func startOfEmptyRoomIsRecovered() {
        var state = HubState.makeWithMembers(.alice)
        #expect(
            state.actions { $0.joined(.make(.number(1), .alice, since: 0), now: .ms(1000), into: &$1) } == [
                .send(1, .joined(Event.joined(head: 0, recovered: true, members: .alice)))
            ])
    }

    // MARK: Races with messages

    @Test func messagesDeliveredDuringReadAreAppended() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let request = JoinRequest.make(.number(2), .bob, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        #expect(state.publish(offset: 6, now: .ms(1000)).first == .deliver(.message(room: .lobby, .make(6))))
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 5, 4...5)), readAfter(3), now: .ms(1000), into: &$1)
            }.first
                == .send(
                    2,
                    .joined(
                        Event.joined(head: 6, recovered: true, 4...6, members: .alice, .bob))))
    }

    @Test func undeliveredMessagesAreOmittedFromPage() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let request = JoinRequest.make(.number(2), .bob, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 7, 4...7)), readAfter(3), now: .ms(1000), into: &$1)
            }.first
                == .send(2, .joined(Event.joined(head: 5, recovered: true, 4...5, members: .alice, .bob))))
        #expect(state.publish(offset: 6, now: .ms(1000)).first == .deliver(.message(room: .lobby, .make(6))))
    }

    /// The room left memory while its last message was being stored: the page of the next join already holds the
    /// message.
    @Test func messageInPageIsNotDeliveredAgain() {
        var state = HubState.makeWithMembers(.alice)
        let appendRequest = AppendRequest.make(by: .number(1), .alice, id: "m1")
        _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        let request = JoinRequest.make(.number(2), .bob, since: 0)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        #expect(
            state.actions {
                $0.historyRead(
                    .join(request), .success(.make(head: 1, 1...1)), readAfter(0, isFirst: true), now: .ms(1000),
                    into: &$1)
            }
            .first
                == .send(2, .joined(Event.joined(head: 1, recovered: true, 1...1, members: .bob))))
        let outcome = AppendOutcome.stored(Position(epoch: epoch, offset: 1), at: .ms(0))
        #expect(
            state.actions { $0.stored(appendRequest, outcome, now: .ms(1000), into: &$1) }.first
                == .send(1, .reply(.ack("m1", offset: 1))))
        // Bob learns that Alice has seen it.
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        #expect(
            state.actions { $0.receiptsStored(.success(()), now: .ms(1260), into: &$1) }.first
                == .deliver(.receipt(room: .lobby, [UserReceipt(user: .alice, Receipt(seen: 1))])))
        #expect(
            state.publish(offset: 2, now: .ms(1300)).first == .deliver(.message(room: .lobby, .make(2))))
    }

    @Test func overflowedTailReadsStoreAgain() {
        var limits = Limits()
        limits.tailMessagesMax = 2
        var state = HubState.makeWithMembers(.alice, head: 5, limits: limits)
        let request = JoinRequest.make(.number(2), .bob, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        for offset in 6...8 { _ = state.publish(offset: Offset(offset), now: .ms(1000)) }
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 5, 4...5)), readAfter(3), now: .ms(1000), into: &$1)
            } == [
                .read(readAfter(3), .join(request))
            ])
        #expect(state.storeRequestsInFlight == 1)
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 7, 4...7)), readAfter(3), now: .ms(1000), into: &$1)
            }.first
                == .send(
                    2,
                    .joined(
                        Event.joined(head: 8, recovered: true, 4...8, members: .alice, .bob))))
    }

    @Test func truncatedPageStaysIncomplete() {
        var state = HubState.makeWithMembers(.alice, head: 900)
        let request = JoinRequest.make(.number(2), .bob, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        _ = state.publish(offset: 901, now: .ms(1000))
        let page = HistoryPage.make(head: 900, 4...503, more: true)
        #expect(
            state.actions { $0.historyRead(.join(request), .success(page), readAfter(3), now: .ms(1000), into: &$1) }
                .first
                == .send(2, .joined(Event.joined(head: 901, members: .alice, .bob))))
    }

    // MARK: Another epoch

    @Test func pageOfOtherEpochForcesResync() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let request = JoinRequest.make(.number(2), .bob, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        let page = HistoryPage.make(head: 1, 1...1, epoch: Epoch("e2"))
        // Its receipts differ too, and were not read.
        #expect(
            state.actions { $0.historyRead(.join(request), .success(page), readAfter(3), now: .ms(1000), into: &$1) }
                == [
                    .send(1, .close(.resyncNeeded)), .read(readAfter(3, isFirst: true), .join(request)),
                ])
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(page), readAfter(3, isFirst: true), now: .ms(1000), into: &$1)
            }.prefix(1)
                == [
                    .send(2, .joined(Event.joined(head: 1, members: .alice, .bob, epoch: Epoch("e2"))))
                ])
    }

    @Test func messageOfOtherEpochForcesResync() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let other = Epoch("e2")
        #expect(
            state.publish(offset: 1, epoch: other, now: .ms(1000)) == [
                .send(2, .reply(.ack("m1", offset: 1, epoch: other))), .scheduleTimer(.ms(1250)),
                .send(1, .close(.resyncNeeded)),
            ])
        // The next join reads the store again. Mutes and bans belong to no epoch.
        let request = JoinRequest.make(.number(3), .carol)
        var read = readNewest
        read.sanctionsMax = 0
        #expect(state.actions { $0.joined(request, now: .ms(1000), into: &$1) } == [.read(read, .join(request))])
    }

    // MARK: Ends while it waits

    @Test func endedSessionIsNotAdmitted() {
        var state = HubState()
        let request = JoinRequest.make(.number(1), .alice)
        _ = state.actions { $0.joined(request, now: .ms(0), into: &$1) }
        #expect(
            state.actions { $0.sessionEnded(.number(1), .of(.alice), .lobby, now: .ms(0), into: &$1) } == [
                .forward(.roomCleared(.number(1), .of(.alice)))
            ])
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 0)), readNewest, now: .ms(0), into: &$1)
            } == [])
        #expect(state.rooms.isEmpty)
    }

    @Test func userBannedDuringJoinIsNotAdmitted() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let request = JoinRequest.make(.number(2), .bob, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        let ban = Sanction(.ban(minutes: 1), user: .bob, by: Member(user: .alice))
        _ = state.actions { $0.sanctioned(.session(1), .lobby, ban, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) }
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 5, 4...5)), readAfter(3), now: .ms(1000), into: &$1)
            } == [
                .send(
                    2,
                    .joinRefused(
                        .lobby,
                        .error(id: .named("j"), code: .forbidden, message: "You are banned from this room.")))
            ])
        #expect(!state.isMember(2))
    }

    /// A member joins again, and is kicked before the store has answered: the later join still gets its answer.
    @Test func memberKickedDuringRejoinIsReadmitted() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        let request = JoinRequest.make(.number(2), .bob, since: 3)
        _ = state.actions { $0.joined(request, now: .ms(1000), into: &$1) }
        let kick = Sanction(.kick, user: .bob, by: Member(user: .alice))
        _ = state.actions { $0.sanctioned(.session(1), .lobby, kick, now: .ms(1000), into: &$1) }
        #expect(!state.isMember(2))
        #expect(
            state.actions {
                $0.historyRead(.join(request), .success(.make(head: 5, 4...5)), readAfter(3), now: .ms(1000), into: &$1)
            }.first
                == .send(2, .joined(Event.joined(head: 5, recovered: true, 4...5, members: .alice, .bob))))
        #expect(state.isMember(2))
    }

    // MARK: Limits

    private func refusal(_ actions: [HubAction]) -> (ErrorCode, String, Milliseconds?)? {
        guard case .send(_, .joinRefused(_, .error(_, let code, let message, let wait)))? = actions.first,
            actions.count == 1
        else { return nil }
        return (code, message, wait)
    }

    @Test func fullRoomRefusesJoin() throws {
        var limits = Limits()
        limits.membersPerRoomMax = 2
        var state = HubState.makeWithMembers(.alice, limits: limits)
        // A waiting join counts as well.
        _ = state.actions { $0.joined(.make(.number(2), .bob, limit: 9), now: .ms(1000), into: &$1) }
        let full = try #require(
            refusal(state.actions { $0.joined(.make(.number(3), .carol), now: .ms(1000), into: &$1) }))
        #expect(full == (.unavailable, "The room is full. Try again later.", 60_000))
    }

    @Test func fullShardRefusesJoin() throws {
        var limits = Limits()
        limits.roomsPerShardMax = 1
        var state = HubState.makeWithMembers(.alice, limits: limits)
        let other = JoinRequest.make(.number(2), .bob, room: .named("other"))
        let refused = try #require(refusal(state.actions { $0.joined(other, now: .ms(1000), into: &$1) }))
        #expect(refused == (.unavailable, "The hub has too many rooms. Try again later.", 60_000))
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(refusal(state.actions { $0.joined(other, now: .ms(1000), into: &$1) }) == nil)
    }

    @Test func sanctionsDoNotKeepRoomsInMemory() throws {
        var limits = Limits()
        limits.roomsPerShardMax = 1
        var state = HubState.makeWithMembers(.bob, limits: limits)
        let ban = Sanction(.ban(minutes: 1), user: .bob, by: Member(user: .alice))
        _ = state.actions { $0.sanctioned(.session(1), .lobby, ban, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) }
        let other = JoinRequest.make(.number(2), .carol, room: .named("other"))
        #expect(refusal(state.actions { $0.joined(other, now: .ms(1000), into: &$1) }) == nil)
    }

    @Test func busyStoreRefuses() throws {
        var limits = Limits()
        limits.storeRequestsInFlightMax = 1
        var state = HubState(limits: limits)
        _ = state.actions { $0.joined(.make(.number(1), .alice), now: .ms(0), into: &$1) }
        let busy = try #require(refusal(state.actions { $0.joined(.make(.number(2), .bob), now: .ms(0), into: &$1) }))
        #expect(busy == (.unavailable, "The store is busy. Try again shortly.", 1000))
    }

    @Test func pageSizeIsLimited() {
        var limits = Limits()
        limits.pageMessagesMax = 2
        var state = HubState(limits: limits)
        let request = JoinRequest.make(.number(1), .alice, limit: 1000)
        var read = readNewest
        read.messagesMax = 2
        #expect(state.actions { $0.joined(request, now: .ms(0), into: &$1) } == [.read(read, .join(request))])
        // If the tail exceeded a page, the store would be read, and report more.
        state = HubState.makeWithMembers(.alice, limits: limits)
        for offset in 1...3 { _ = state.publish(offset: Offset(offset), now: .ms(1000)) }
        let back = JoinRequest.make(.number(1), .alice, since: 0)
        var after = readAfter(0)
        after.messagesMax = 2
        #expect(state.actions { $0.joined(back, now: .ms(1000), into: &$1) } == [.read(after, .join(back))])
    }

    @Test func membersAreListedUpToLimitAndCounted() {
        var limits = Limits()
        limits.membersListedMax = 2
        var state = HubState.makeWithMembers(.alice, .bob, .carol, limits: limits)
        guard
            case .send(_, .members(_, .members(_, _, let members)))? = state.actions({
                $0.membersRequested(.session(1), .lobby, into: &$1)
            }).first
        else {
            Issue.record("no members")
            return
        }
        #expect(members.count == 3)
        #expect(members.listed.count == 2)
        #expect(members.listed == members.listed.sorted { $0.user < $1.user })
    }

    // MARK: Leaving and requests

    @Test func leaveIsAnsweredAndEndsDelivery() {
        var state = HubState.makeWithMembers(.alice, head: 5)
        let appendRequest = AppendRequest.make(id: "m1")
        #expect(state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) } == [.append(appendRequest)])
        #expect(
            state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) } == [
                .send(1, .left(.lobby, .left(id: .named("l"), room: .lobby, reason: nil))),
                .scheduleTimer(.ms(1250)),
            ])
        #expect(
            state.actions {
                $0.stored(
                    appendRequest, .stored(Position(epoch: epoch, offset: 6), at: .ms(0)), now: .ms(1000), into: &$1)
            } == [
                .send(2, .reply(.ack("m1", offset: 6)))
            ])
        #expect(state.rooms.isEmpty)
    }

    @Test func leaveOfNonMemberIsAnswered() {
        var state = HubState()
        #expect(
            state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(0), into: &$1) } == [
                .send(1, .left(.lobby, .left(id: .named("l"), room: .lobby, reason: nil)))
            ])
        #expect(
            state.actions { $0.sessionEnded(.number(1), .of(.alice), .lobby, now: .ms(0), into: &$1) } == [
                .forward(.roomCleared(.number(1), .of(.alice)))
            ])
    }

    @Test func deliveryGoesToEdgesWithMembers() {
        var state = HubState.makeWithMembers(.alice)
        state.join(.make(.number(1, edge: 3), .bob), now: .ms(1000))
        state.join(.make(.number(2, edge: 3), .bob), now: .ms(1000))
        func edges() -> [EdgeID] {
            guard
                case .deliver(_, _, let edges)? = state.actions({
                    $0.typed(Member(user: .bob), .lobby, active: true, now: .ms(0), into: &$1)
                })
                .first
            else { return [] }
            return edges
        }
        #expect(edges() == [EdgeID(0), EdgeID(3)])
        _ = state.actions { $0.left(.number(1, edge: 3), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(edges() == [EdgeID(0), EdgeID(3)])
        _ = state.actions { $0.left(.number(2, edge: 3), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(edges() == [EdgeID(0)])
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(edges() == [])
    }

    @Test func historyIsReadAndAnswered() {
        var state = HubState()
        let requester = Requester(.service(edge: EdgeID(2), 9), id: .named("h"))
        let read = HistoryRequest(room: .lobby, range: .before(9), messagesMax: 500, bytesMax: 128 * 1024)
        #expect(
            state.actions { $0.historyRequested(requester, .lobby, .before(9), limit: 10_000, into: &$1) } == [
                .read(read, .history(requester))
            ])
        let page = HistoryPage.make(head: 9, 5...8)
        #expect(
            state.actions { $0.historyRead(.history(requester), .success(page), read, now: .ms(0), into: &$1) } == [
                .answer(edge: EdgeID(2), 9, .page(id: .named("h"), room: .lobby, page))
            ])
        _ = state.actions { $0.historyRequested(requester, .lobby, .newest, limit: -1, into: &$1) }
        #expect(
            state.actions {
                $0.historyRead(.history(requester), .failure(StoreError("x")), read, now: .ms(0), into: &$1)
            } == [
                .answer(
                    edge: EdgeID(2), 9,
                    .error(
                        id: .named("h"), code: .unavailable, message: "The store is unavailable. Try again shortly.",
                        retryAfter: 1000))
            ])
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func busyStoreRefusesHistory() {
        var limits = Limits()
        limits.storeRequestsInFlightMax = 1
        var state = HubState.makeWithMembers(.alice, limits: limits)
        _ = state.actions { $0.historyRequested(.session(1), .lobby, .newest, limit: 1, into: &$1) }
        #expect(
            state.actions { $0.historyRequested(.session(1), .lobby, .newest, limit: 1, into: &$1) } == [
                .send(
                    1,
                    .reply(
                        .error(
                            id: .named("r"), code: .unavailable, message: "The store is busy. Try again shortly.",
                            retryAfter: 1000)))
            ])
    }

    @Test func membersAndSummaries() {
        var state = HubState.makeWithMembers(.bob, .alice)
        state.join(.make(.number(3), .alice), now: .ms(1000))
        state.join(.make(.number(3), .alice, room: .named("a-room")), now: .ms(1000))
        let members = Event.Members(listed: [Member(user: .alice), Member(user: .bob)], count: 2)
        #expect(
            state.actions { $0.membersRequested(.session(1), .lobby, into: &$1) } == [
                .send(1, .members(.lobby, .members(id: .named("r"), room: .lobby, members)))
            ])
        #expect(
            state.actions { $0.membersRequested(.session(1), .named("empty"), into: &$1) } == [
                .send(
                    1,
                    .reply(.error(id: .named("r"), code: .conflict, message: "Join the room first.", retryAfter: nil))
                )
            ], "whoever isn't in a room isn't told who is")
        #expect(state.members(of: .named("empty")) == Event.Members())
        #expect(
            state.roomSummaries(of: .standard).map {
                Hub.RoomSummary(room: $0.room, users: $0.users, sessions: $0.sessions)
            }
                == [
                    Hub.RoomSummary(room: .named("a-room"), users: 1, sessions: 1),
                    Hub.RoomSummary(room: .lobby, users: 2, sessions: 3),
                ])
        #expect(state.roomSummaries(of: .named("other")).isEmpty)
    }
}
