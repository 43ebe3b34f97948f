import GoHubTestSupport
import Testing

@testable import GoHubCore

/// What a shard tells other nodes.
struct HubStateBusPublishingTests {
    private let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))

    private func entries(_ state: inout HubState) -> [HubAction] {
        state.actions { $0.publishEntries(now: .ms(1000), into: &$1) }
    }

    /// The offsets of each message with entries.
    private func offsets(_ actions: [HubAction]) -> [[Offset]] {
        actions.published.compactMap {
            switch $0.message {
            case .entries(let batch), .direct(_, let batch): batch.entries.map(\.offset)
            default: nil
            }
        }
    }

    private func store(
        _ offset: Offset, text: String, in room: RoomID = .lobby, _ state: inout HubState
    ) -> [HubAction] {
        let draft = MessageDraft(
            room: room, id: .named("m\(offset)"), from: Member(user: .bob), receivedAt: .ms(0), text: text)
        let request = AppendRequest(requester: .session(2), draft: draft)
        _ = state.actions { $0.published(request, now: .ms(1000), into: &$1) }
        return state.actions {
            $0.stored(request, .stored(Position(epoch: epoch, offset: offset), at: .ms(0)), now: .ms(1000), into: &$1)
        }
    }

    // MARK: Entries

    @Test func entriesOfABatchAreOneMessage() {
        var state = HubState.makeOnBus(.alice)
        #expect(state.publish(offset: 1, now: .ms(1000)).published == [])
        #expect(state.publish(offset: 2, now: .ms(1000)).published == [])
        let actions = entries(&state)
        #expect(offsets(actions) == [[1, 2]])
        #expect(actions.published.map(\.topic) == [.room(.lobby)])
        #expect(entries(&state) == [])
    }

    @Test func eachRoomHasItsMessage() {
        var state = HubState.makeOnBus(.alice)
        _ = state.publish(offset: 1, now: .ms(1000))
        _ = state.publish(offset: 1, to: .named("kitchen"), now: .ms(1000))
        _ = state.publish(offset: 2, now: .ms(1000))
        let actions = entries(&state)
        #expect(offsets(actions) == [[1, 2], [1]])
        #expect(actions.published.map(\.topic) == [.room(.lobby), .room(.named("kitchen"))])
    }

    @Test func largeBatchIsSplitBySize() {
        var state = HubState.makeOnBus(.alice)
        let text = String(repeating: "x", count: 100_000)
        for offset in 1...5 as ClosedRange<Offset> { _ = store(offset, text: text, &state) }
        #expect(offsets(entries(&state)) == [[1, 2], [3, 4], [5]])
        // A single larger one goes alone.
        _ = store(6, text: "x", &state)
        _ = store(7, text: String(repeating: "x", count: BusOutbox.bytesMax), &state)
        _ = store(8, text: "x", &state)
        #expect(offsets(entries(&state)) == [[6], [7], [8]])
    }

    @Test func longBatchIsSplitByCount() {
        var state = HubState.makeOnBus(.alice)
        for offset in 1...257 as ClosedRange<Offset> { _ = store(offset, text: "x", &state) }
        #expect(offsets(entries(&state)).map(\.count) == [256, 1])
    }

    @Test func entriesOfDirectConversationsGoToBothUsers() {
        var state = HubState.makeOnBus()
        _ = state.publish(offset: 1, to: direct, now: .ms(1000))
        let actions = entries(&state)
        #expect(offsets(actions) == [[1], [1]])
        #expect(actions.published.map(\.topic) == [.user(.alice), .user(.bob)])
        let oneself = RoomID(tenant: .standard, name: .direct(.bob, .bob))
        _ = state.publish(offset: 1, to: oneself, now: .ms(1000))
        #expect(entries(&state).published.map(\.topic) == [.user(.bob)])
    }

    /// So that who has missed an update notices.
    @Test func entriesCarryTheVersionOfTheUsersWhenItIsTold() {
        var state = HubState.makeOnBus(.alice)
        func version() -> PresenceVersion? {
            entries(&state).published.lazy.compactMap { published -> PresenceVersion? in
                if case .entries(let batch) = published.message { batch.presence } else { nil }
            }.first
        }
        _ = state.publish(offset: 1, now: .ms(1000))
        let told = version()
        #expect(told != nil)
        #expect(told == state.bus.presence[.lobby]?.source.version)
        // Nobody has heard of the next member.
        state.settle(head: 1, now: .ms(1000)) { $0.joined(.make(.number(2), .bob), now: .ms(1000), into: &$1) }
        _ = state.publish(offset: 2, now: .ms(1000))
        #expect(version() == nil)
    }

    @Test func withoutLinkNothingIsPublished() {
        var state = HubState.makeOnBus(.alice)
        _ = state.publish(offset: 1, now: .ms(1000))
        _ = state.actions { $0.busLost(now: .ms(1000), into: &$1) }
        _ = state.publish(offset: 2, now: .ms(1000))
        #expect(entries(&state) == [])
        state.linkToBus(now: .ms(1001))
        // The store tells the others.
        #expect(entries(&state) == [])
    }

    // MARK: Answers of the store

    private func answer(
        _ outcome: AppendOutcome, in room: RoomID = .lobby, _ state: inout HubState
    ) -> [HubAction] {
        let request = AppendRequest.make(id: "m", in: room)
        _ = state.actions { $0.published(request, now: .ms(1000), into: &$1) }
        return state.actions { $0.stored(request, outcome, now: .ms(1000), into: &$1) }
    }

    /// It isn't known what the others have heard of the first attempt.
    @Test func headIsToldOfADuplicate() {
        var state = HubState.makeOnBus(.alice, head: 5)
        let position = Position(epoch: epoch, offset: 5)
        #expect(answer(.duplicate(position, at: .ms(0)), &state).published == [Published(.head(position))])
        #expect(answer(.duplicate(position, at: .ms(0)), in: direct, &state).published == [])
        #expect(entries(&state) == [])
    }

    @Test func doubtIsToldOfAnUnknownOutcome() {
        var state = HubState.makeOnBus(.alice, head: 5)
        let unknown = answer(.failed(StoreError("away")), &state)
        #expect(unknown.published == [Published(.inDoubt(.bob, .named("m")))])
        let failed = answer(.failed(StoreError(.full, "full", mayBeStored: false)), &state)
        #expect(failed.published == [])
        #expect(answer(.failed(StoreError("away")), in: direct, &state).published == [])
    }

    @Test func sanctionsMayHaveChangedWhenTheirWriteFails() {
        var state = HubState.makeOnBus(.alice, .bob)
        let sanction = Sanction(.mute(minutes: 1), user: .bob, by: Member(user: .alice))
        _ = state.actions { $0.sanctioned(.session(1), .lobby, sanction, now: .ms(1000), into: &$1) }
        let failed = state.actions { $0.sanctionsStored(.failure(StoreError("away")), now: .ms(1000), into: &$1) }
        #expect(failed.published == [Published(.sanctionsChanged)])
    }

    @Test func storedSanctionIsTold() {
        var state = HubState.makeOnBus(.alice, .bob)
        let sanction = Sanction(.mute(minutes: 1), user: .bob, by: Member(user: .alice))
        let asked = state.actions { $0.sanctioned(.session(1), .lobby, sanction, now: .ms(1000), into: &$1) }
        #expect(asked.published == [])
        let stored = state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) }
        #expect(stored.published == [Published(.moderated(sanction))])
    }

    // MARK: Kicks

    private let kick = Sanction(.kick, user: .bob, by: Member(user: .alice))

    private func kicked(_ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.actions { $0.sanctioned(.session(1), .lobby, kick, now: .ms(time), into: &$1) }
    }

    private func moderated(_ actions: [HubAction]) -> [Published] {
        actions.published.filter { if case .moderated = $0.message { true } else { false } }
    }

    /// Restores the link, and confirms everything.
    private func restore(_ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.settle(now: .ms(time)) { $0.busRestored(at: .ms(Int64(time)), now: .ms(time), into: &$1) }
    }

    @Test func kickIsTold() {
        var state = HubState.makeOnBus(.alice, .bob)
        #expect(moderated(kicked(&state, at: 1000)) == [Published(.moderated(kick))])
        _ = state.actions { $0.busLost(now: .ms(1001), into: &$1) }
        #expect(moderated(restore(&state, at: 1002)) == [])
    }

    /// Unlike a ban, it isn't in the store.
    @Test func kickWaitsForTheLink() {
        var state = HubState.makeOnBus(.alice, .bob)
        _ = state.actions { $0.busLost(now: .ms(1000), into: &$1) }
        #expect(moderated(kicked(&state, at: 1000)) == [])
        #expect(moderated(restore(&state, at: 11_000)) == [Published(.moderated(kick))])
        _ = state.actions { $0.busLost(now: .ms(11_001), into: &$1) }
        #expect(moderated(restore(&state, at: 11_002)) == [])
    }

    @Test func oldKickIsNotTold() {
        var state = HubState.makeOnBus(.alice, .bob)
        _ = state.actions { $0.busLost(now: .ms(1000), into: &$1) }
        _ = kicked(&state, at: 1000)
        #expect(moderated(restore(&state, at: 11_001)) == [])
    }

    /// The other nodes would show its notice twice.
    @Test func kickWhileTheLinkReturnsIsToldOnce() {
        var state = HubState.makeOnBus(.alice, .bob)
        _ = state.actions { $0.busLost(now: .ms(1000), into: &$1) }
        let topics = state.actions { $0.busRestored(at: .ms(2000), now: .ms(2000), into: &$1) }.subscribed
        var actions = kicked(&state, at: 2001)
        actions += state.confirm(topics, now: .ms(2002))
        #expect(moderated(actions) == [Published(.moderated(kick))])
    }

    // MARK: What isn't stored

    @Test func ephemeralMessagesAreTold() {
        var state = HubState.makeOnBus(.alice)
        func send(_ room: RoomID) -> [Published] {
            let request = AppendRequest.make(id: "m", in: room, isEphemeral: true)
            return state.actions { $0.published(request, now: .ms(1000), into: &$1) }.published
        }
        let content = AppendRequest.make(id: "m").draft.content
        #expect(send(.lobby) == [Published(.ephemeral(content, at: .ms(0)))])
        let message = ClusterMessage.directEphemeral(direct.name, content, at: .ms(0))
        #expect(send(direct) == [Published(message, to: .user(.alice)), Published(message, to: .user(.bob))])
    }

    @Test func typingIsTold() {
        var state = HubState.makeOnBus(.alice)
        func type(_ room: RoomID) -> [Published] {
            state.actions { $0.typed(Member(user: .alice), room, active: true, now: .ms(1000), into: &$1) }.published
        }
        #expect(type(.lobby) == [Published(.typed(.alice, isActive: true))])
        let message = ClusterMessage.directTyped(direct.name, .alice, isActive: true)
        #expect(type(direct) == [Published(message, to: .user(.alice)), Published(message, to: .user(.bob))])
    }

    @Test func storedReceiptsAreTold() {
        var state = HubState.makeOnBus(.alice, .bob, head: 5)
        _ = state.actions { $0.receipted(.alice, .lobby, Receipt(delivered: 4), now: .ms(1000), into: &$1) }
        let writing = state.timerFires(at: .ms(1250))
        #expect(writing.contains { if case .storeReceipts = $0 { true } else { false } })
        #expect(writing.published == [])
        let stored = state.actions { $0.receiptsStored(.success(()), now: .ms(1251), into: &$1) }
        #expect(stored.published == [Published(.receipts(epoch, [UserReceipt(user: .alice, Receipt(delivered: 4))]))])
    }
}
