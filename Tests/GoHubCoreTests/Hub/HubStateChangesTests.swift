import GoHubTestSupport
import Testing

@testable import GoHubCore

struct HubStateChangesTests {
    private static let bounds = ChangeRequest.ReactionBounds(kindsMax: 20, perUserMax: 5, totalMax: 100)
    private let edit = request(ChangeRequest(of: 1, .edit), text: "new")
    private let deletion = request(ChangeRequest(of: 1, .delete(mayModerate: false)))
    private let reaction = request(ChangeRequest(of: 1, .react(.thumb, isRemoval: false, bounds)))

    private static func request(_ request: ChangeRequest, text: String = "", in room: RoomID = .lobby) -> AppendRequest
    {
        let draft = MessageDraft(
            room: room, id: .named("w"), from: Member(user: .bob), receivedAt: .ms(0), request, text: text)
        return AppendRequest(requester: .session(2, id: "w"), draft: draft)
    }

    private static func change(_ offset: Offset, _ change: MessageChange, text: String = "") -> StoredMessage {
        StoredMessage(
            offset: offset, at: .ms(0),
            MessageContent(id: .named("w"), from: Member(user: .bob), text: text, kind: .change(change)))
    }

    private func position(_ offset: Offset) -> Position { Position(epoch: epoch, offset: offset) }

    /// Has a change request stored.
    private func apply(
        _ appendRequest: AppendRequest, _ kind: MessageChange.Kind, at offset: Offset, _ state: inout HubState
    ) -> [HubAction] {
        _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
        let target = appendRequest.draft.changeRequest?.target ?? 0
        let outcome = AppendOutcome.applied(position(offset), at: .ms(0), MessageChange(of: target, kind))
        return state.actions { $0.stored(appendRequest, outcome, now: .ms(1000), into: &$1) }
    }

    /// A join's answer from memory.
    private func joined(_ state: inout HubState, since offset: Offset) -> [StoredMessage]? {
        for case .send(_, .joined(let joined)) in state.actions({
            $0.joined(
                .make(.number(3), .carol, since: offset), now: .ms(2000), into: &$1)
        }) where joined.recovered {
            return joined.messages
        }
        return nil
    }

    // MARK: Delivering

    @Test func changeIsStoredDeliveredAcknowledged() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = state.publish(offset: 1, now: .ms(1000))
        #expect(state.actions { $0.published(edit, now: .ms(1000), into: &$1) } == [.append(edit)])
        let change = MessageChange(of: 1, .edited)
        #expect(
            state.actions { $0.stored(edit, .applied(position(2), at: .ms(0), change), now: .ms(1000), into: &$1) } == [
                .deliver(.message(room: .lobby, Self.change(2, change, text: "new"))),
                .send(2, .reply(.ack("w", offset: 2))),
            ])
        #expect(state.storeRequestsInFlight == 0)
        #expect(state.rooms[.lobby]?.head == position(2))
    }

    @Test func directChangeGoesToBothUsers() {
        var state = HubState()
        let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        let change = MessageChange(of: 1, .deleted)
        let event = Event.directMessage(room: room.name, epoch: epoch, Self.change(2, change))
        let appendRequest = Self.request(ChangeRequest(of: 1, .delete(mayModerate: false)), in: room)
        #expect(
            apply(appendRequest, .deleted, at: 2, &state) == [
                .forward(.userAddressed(UserKey(tenant: .standard, user: .alice), event)),
                .forward(.userAddressed(UserKey(tenant: .standard, user: .bob), event)),
                .send(2, .reply(.ack("w", room: room.name, offset: 2))),
            ])
    }

    @Test func changeDoesNotMoveSendersReceipt() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        _ = apply(reaction, .reaction(.thumb, isRemoval: false, count: 1), at: 6, &state)
        #expect(state.receipts(of: .lobby) == [])
        #expect(state.receiptWriter.isEmpty)
    }

    @Test func storeRefusalReachesTheClient() {
        let refusals: [(AppendOutcome, Event)] = [
            (.refused(.notFound), .error(id: .named("w"), code: .notFound, message: "There is no such message.")),
            (
                .refused(.forbidden),
                .error(id: .named("w"), code: .forbidden, message: "The message belongs to another user.")
            ),
            (
                .refused(.tooManyReactions),
                .error(
                    id: .named("w"), code: .tooLarge,
                    message: "The reaction limit for this message is reached.")
            ),
            (
                .failed(StoreError("x", mayBeStored: false)),
                .error(
                    id: .named("w"), code: .unavailable, message: "The change could not be stored. Send it again.",
                    retryAfter: 1000)
            ),
            (
                .unchanged(at: .ms(0)),
                .ack(
                    .init(
                        id: .named("w"), room: .lobby, position: nil, at: .ms(0), isDuplicate: false,
                        isUnchanged: true))
            ),
        ]
        for (outcome, event) in refusals {
            var state = HubState.makeWithMembers(.alice, .bob, head: 5)
            _ = state.actions { $0.published(reaction, now: .ms(1000), into: &$1) }
            #expect(
                state.actions { $0.stored(reaction, outcome, now: .ms(1000), into: &$1) } == [.send(2, .reply(event))])
            #expect(state.rooms[.lobby]?.head == position(5))
            #expect(state.storeRequestsInFlight == 0)
        }
    }

    @Test func mutedUserCannotChangeMessages() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = state.actions {
            $0.sanctioned(
                .session(1), .lobby, Sanction(.mute(minutes: 1), user: .bob, by: Member(user: .alice)), now: .ms(0),
                into: &$1)
        }
        _ = state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(0), into: &$1) }
        for appendRequest in [edit, deletion, reaction] {
            #expect(
                state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) } != [.append(appendRequest)])
        }
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func undeliveredRepeatIsReadAndDelivered() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        _ = state.actions { $0.published(edit, now: .ms(1000), into: &$1) }
        let read = HistoryRequest(room: .lobby, range: .after(5), messagesMax: 500, bytesMax: 128 * 1024)
        #expect(
            state.actions { $0.stored(edit, .duplicate(position(6), at: .ms(0)), now: .ms(1000), into: &$1) } == [
                .send(2, .reply(.ack("w", offset: 6, isDuplicate: true))), .read(read, .catchUp),
            ])
    }

    // MARK: What is in memory

    @Test func returningClientGetsCurrentMessages() {
        var state = HubState.makeWithMembers(.alice, .bob)
        for offset: Offset in 1...2 { _ = state.publish(offset: offset, now: .ms(1000)) }
        _ = apply(edit, .edited, at: 3, &state)
        _ = apply(Self.request(ChangeRequest(of: 1, .edit), text: "newer"), .edited, at: 4, &state)
        _ = apply(reaction, .reaction(.thumb, isRemoval: false, count: 1), at: 5, &state)
        let messages = joined(&state, since: 0)
        #expect(messages?.map(\.text) == ["newer", "text of m2", "newer", "newer", ""])
        #expect(messages?.map { $0.change?.target } == [nil, nil, 1, 1, 1])
        #expect(
            messages?.first?.amendments
                == Amendments(
                    edited: .init(offset: 4, at: .ms(0)), reactions: [.init(.thumb, count: 1, users: [.bob])]))
    }

    @Test func deletedTextIsRemovedFromMemory() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = state.publish(offset: 1, now: .ms(1000))
        _ = apply(edit, .edited, at: 2, &state)
        _ = apply(deletion, .deleted, at: 3, &state)
        #expect(joined(&state, since: 0)?.map(\.text) == ["", "", ""])
        #expect(joined(&state, since: 1)?.map(\.text) == ["", ""], "the edit's text, too")
        #expect(joined(&state, since: 0)?.first?.amendments == Amendments(deleted: .init(offset: 3, at: .ms(0))))
    }

    @Test func tailCountsEditedBytes() {
        var limits = Limits()
        limits.tailBytesMax = 100
        var state = HubState.makeWithMembers(.alice, .bob, limits: limits)
        for offset: Offset in 1...3 { _ = state.publish(offset: offset, now: .ms(1000)) }
        let long = String(repeating: "x", count: 60)
        _ = apply(Self.request(ChangeRequest(of: 3, .edit), text: long), .edited, at: 4, &state)
        #expect(state.rooms[.lobby]?.tail.messages(after: 2) == nil, "the text and the edit's are too much together")
        #expect(state.rooms[.lobby]?.tail.messages(after: 3)?.map(\.offset) == [4])
    }

    /// The store's page was read before the deletion, and arrives after it.
    @Test(arguments: [nil, 0 as Offset])
    func pageReadBeforeDeletionIsUpdated(since: Offset?) {
        var state = HubState.makeWithMembers(.alice, .bob, head: 2)
        let join = JoinRequest.make(.number(3), .carol, since: since, limit: 10)
        guard
            case .read(let request, let pending)? = state.actions({ $0.joined(join, now: .ms(1000), into: &$1) }).first
        else {
            Issue.record("nothing is read")
            return
        }
        _ = apply(deletion, .deleted, at: 3, &state)
        var answered: [HubAction] = []
        answered = state.actions {
            $0.historyRead(pending, .success(.make(head: 2, 1...2)), request, now: .ms(1000), into: &$1)
        }
        guard case .send(_, .joined(let joined))? = answered.first else {
            Issue.record("not joined: \(answered)")
            return
        }
        #expect(joined.messages.map(\.text) == ["", "text of m2", ""])
        #expect(joined.messages.first?.amendments?.deleted?.offset == 3)
    }

    @Test func historyReadBeforeDeletionIsUpdated() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 2)
        guard
            case .read(let request, let pending)? = state.actions({
                $0.historyRequested(.session(1), .lobby, .newest, limit: 10, into: &$1)
            })
            .first
        else {
            Issue.record("nothing is read")
            return
        }
        _ = apply(deletion, .deleted, at: 3, &state)
        let actions = state.actions {
            $0.historyRead(pending, .success(.make(head: 2, 1...2)), request, now: .ms(1000), into: &$1)
        }
        guard case .send(_, .reply(.page(_, _, let page)))? = actions.first else {
            Issue.record("no page: \(actions)")
            return
        }
        #expect(page.messages.map(\.text) == ["", "text of m2"])
    }
}
