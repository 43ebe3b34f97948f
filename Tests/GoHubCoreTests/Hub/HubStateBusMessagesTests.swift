import GoHubTestSupport
import Testing

@testable import GoHubCore

/// What a shard does with the messages of other nodes to its rooms.
struct HubStateBusMessagesTests {
    private let second = Epoch("e2")

    private func page(_ state: inout HubState, _ read: HistoryRequest, _ page: HistoryPage, at time: UInt64)
        -> [HubAction]
    {
        state.actions { $0.historyRead(.catchUp, .success(page), read, now: .ms(time), into: &$1) }
    }

    // MARK: Entries

    @Test func entriesInOrderAreDelivered() {
        var state = HubState.makeOnBus(.alice, head: 5)
        let actions = state.hear(.entries(6, 7), now: .ms(1000))
        #expect(actions.delivered == [6, 7])
        #expect(actions.reads == [])
        #expect(state.catchUps.isEmpty)
        #expect(state.hear(.entries(8), now: .ms(1000)).delivered == [8])
    }

    /// Perhaps the one before it is only late.
    @Test func entryAheadIsHeldAndTheRestReadAfter100Milliseconds() throws {
        var state = HubState.makeOnBus(.alice, head: 5)
        let actions = state.hear(.entries(7), now: .ms(1000))
        #expect(actions.delivered == [])
        #expect(actions.reads == [])
        #expect(state.timerFires(at: .ms(1099)).reads == [])
        let reads = state.timerFires(at: .ms(1100)).reads
        #expect(reads.map(\.range) == [.after(5)])
        let read = try #require(reads.first)
        #expect(page(&state, read, .make(head: 7, 6...7), at: 1110).delivered == [6, 7])
        #expect(state.catchUps.isEmpty)
    }

    @Test func heldEntryIsDeliveredAfterTheLateOne() {
        var state = HubState.makeOnBus(.alice, head: 5)
        _ = state.hear(.entries(7), from: .b, now: .ms(1000))
        #expect(state.hear(.entries(6), from: .c, now: .ms(1050)).delivered == [6, 7])
        #expect(state.timerFires(at: .ms(1100)).reads == [])
        #expect(state.catchUps.isEmpty)
    }

    /// Another node stores between two of this one's.
    @Test func ownEntryAheadWaitsForTheOtherNodes() {
        var state = HubState.makeOnBus(.alice, head: 5)
        let stored = state.publish(offset: 7, now: .ms(1000))
        #expect(stored.delivered == [])
        #expect(stored.reads == [])
        #expect(state.hear(.entries(6), now: .ms(1010)).delivered == [6, 7])
        #expect(state.timerFires(at: .ms(1100)).reads == [])
    }

    @Test func repeatedEntriesAreDeliveredOnce() {
        var state = HubState.makeOnBus(.alice, head: 5)
        #expect(state.hear(.entries(4, 5, 6), now: .ms(1000)).delivered == [6])
        #expect(state.hear(.entries(4, 5, 6), now: .ms(1000)).delivered == [])
        _ = state.hear(.entries(8), now: .ms(1000))
        _ = state.hear(.entries(8), now: .ms(1000))
        #expect(state.hear(.entries(7), now: .ms(1000)).delivered == [7, 8])
    }

    /// Which of the two epochs is the room's now is decided by the page.
    @Test(arguments: [ClusterMessage.entries(3, epoch: Epoch("e2")), .head(Position(epoch: Epoch("e2"), offset: 3))])
    func otherEpochIsReadAtOnce(_ message: ClusterMessage) throws {
        var state = HubState.makeOnBus(.alice, head: 5)
        let actions = state.hear(message, now: .ms(1000))
        #expect(actions.delivered == [])
        let read = try #require(actions.reads.first)
        let same = page(&state, read, .make(head: 5), at: 1010)
        #expect(!same.contains(.send(1, .close(.resyncNeeded))))
        let again = try #require(state.hear(message, now: .ms(1020)).reads.first)
        let other = page(&state, again, .make(head: 3, epoch: second), at: 1030)
        #expect(other.delivered == [])
        #expect(other.contains(.send(1, .close(.resyncNeeded))))
    }

    /// Whoever joins reads the store.
    @Test(arguments: [
        ClusterMessage.entries(1), .head(Position(epoch: epoch, offset: 1)), .inDoubt(.bob, .named("m")),
        .receipts(epoch, [UserReceipt(user: .bob, Receipt(delivered: 1))]), .sanctionsChanged,
        .moderated(Sanction(.ban(minutes: 1), user: .alice, by: Member(user: .bob))), .typed(.bob, isActive: true),
        .presence(PresenceUpdate(from: nil, to: 1, joined: [Member(user: .bob)])), .presenceIs(1),
    ])
    func newsOfARoomThatIsNotHereIsIgnored(_ message: ClusterMessage) {
        var state = HubState.makeOnBus(.alice)
        let room = RoomID.named("kitchen")
        #expect(state.hear(message, to: .room(room), now: .ms(1000)) == [])
        #expect(state.rooms[room] == nil)
        #expect(state.catchUps.isEmpty)
    }

    /// Its entries come on its users' topics.
    @Test func directConversationIsNoRoomOfTheBus() {
        var state = HubState.makeOnBus(.alice)
        let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        #expect(state.hear(.entries(1), to: .room(room), now: .ms(1000)) == [])
    }

    @Test func membersOfARoomThatIsFarBehindJoinAgain() {
        var state = HubState.makeOnBus(.alice, head: 5)
        let actions = state.hear(.entries(5000), now: .ms(1000))
        #expect(actions.contains(.send(1, .close(.resyncNeeded))))
        #expect(state.catchUps.isEmpty)
    }

    // MARK: Heads

    @Test func headAheadIsReadAfter25Milliseconds() {
        var state = HubState.makeOnBus(.alice, head: 5)
        #expect(state.hear(.head(Position(epoch: epoch, offset: 7)), now: .ms(1000)).reads == [])
        #expect(state.timerFires(at: .ms(1024)).reads == [])
        #expect(state.timerFires(at: .ms(1025)).reads.map(\.range) == [.after(5)])
    }

    @Test func knownHeadIsNoNews() {
        var state = HubState.makeOnBus(.alice, head: 5)
        #expect(state.hear(.head(Position(epoch: epoch, offset: 5)), now: .ms(1000)) == [])
        #expect(state.catchUps.isEmpty)
    }

    @Test func headIsNotReadWhenItsEntriesCome() {
        var state = HubState.makeOnBus(.alice, head: 5)
        _ = state.hear(.head(Position(epoch: epoch, offset: 6)), now: .ms(1000))
        #expect(state.hear(.entries(6), now: .ms(1010)).delivered == [6])
        #expect(state.timerFires(at: .ms(1025)).reads == [])
    }

    // MARK: Doubt

    /// The store may commit it later.
    @Test func entryInDoubtIsLookedForNowAndLater() throws {
        var state = HubState.makeOnBus(.alice, head: 5)
        let first = try #require(state.hear(.inDoubt(.bob, .named("m6")), now: .ms(1000)).reads.first)
        #expect(first.range == .after(5))
        #expect(page(&state, first, .make(head: 5), at: 1000).delivered == [])
        #expect(state.timerFires(at: .ms(1249)).reads == [])
        let next = try #require(state.timerFires(at: .ms(1250)).reads.first)
        #expect(page(&state, next, .make(head: 6, 6...6), at: 1250).delivered == [6])
        #expect(state.catchUps.isEmpty)
    }

    // MARK: Moderation

    private func moderate(_ kind: Sanction.Kind, _ user: UserID, _ state: inout HubState) -> [HubAction] {
        state.hear(.moderated(Sanction(kind, user: user, by: Member(user: .carol))), now: .ms(1000))
    }

    @Test func kickedUserLeaves() {
        var state = HubState.makeOnBus(.alice, .bob)
        let actions = moderate(.kick, .bob, &state)
        let reason = "bob was kicked by carol"
        #expect(actions.contains(.send(2, .left(.lobby, .left(id: nil, room: .lobby, reason: reason)))))
        #expect(actions.contains(.deliver(.notice(id: nil, room: .lobby, text: reason))))
        #expect(!state.isMember(2))
        #expect(actions.reads == [], "a kick isn't stored")
        // The other nodes know.
        #expect(!actions.published.contains { if case .moderated = $0.message { true } else { false } })
    }

    @Test func bannedUserLeavesAndTheStoreTellsForHowLong() throws {
        var state = HubState.makeOnBus(.alice, .bob)
        let actions = moderate(.ban(minutes: 1), .bob, &state)
        #expect(!state.isMember(2))
        let read = try #require(actions.reads.first)
        #expect(read == .sanctions(of: .lobby, max: 100_000))
        var page = HistoryPage.make(head: 0)
        page.sanctions = [UserSanction(user: .bob, isBan: true, left: 57_000)]
        _ = state.actions { $0.historyRead(.sanctions, .success(page), read, now: .ms(1010), into: &$1) }
        let refused = state.actions { $0.joined(.make(.number(2), .bob), now: .ms(58_000), into: &$1) }
        #expect(refused.contains { if case .send(_, .joinRefused) = $0 { true } else { false } })
    }

    @Test func mutedUsersTypingIsNotShown() throws {
        var state = HubState.makeOnBus(.alice)
        let typing = HubAction.deliver(.typing(room: .lobby, user: .bob, active: true))
        #expect(state.hear(.typed(.bob, isActive: true), now: .ms(1000)) == [typing])
        let actions = moderate(.mute(minutes: 5), .bob, &state)
        #expect(actions.contains(.deliver(.notice(id: nil, room: .lobby, text: "bob was muted for 5 min by carol"))))
        let read = try #require(actions.reads.first)
        var page = HistoryPage.make(head: 0)
        page.sanctions = [UserSanction(user: .bob, isBan: false, left: 300_000)]
        _ = state.actions { $0.historyRead(.sanctions, .success(page), read, now: .ms(1010), into: &$1) }
        #expect(state.hear(.typed(.bob, isActive: true), now: .ms(1020)) == [])
    }

    @Test func doubtfulSanctionsAreRead() {
        var state = HubState.makeOnBus(.alice)
        #expect(state.hear(.sanctionsChanged, now: .ms(1000)).reads == [.sanctions(of: .lobby, max: 100_000)])
        // One at a time.
        #expect(state.hear(.sanctionsChanged, now: .ms(1000)) == [])
    }

    // MARK: What isn't stored

    @Test func ephemeralMessageIsDelivered() {
        var state = HubState.makeOnBus(.alice)
        let content = AppendRequest.make(id: "m", isEphemeral: true).draft.content
        let event = Event.Ephemeral(id: content.id, from: content.from, at: .ms(7), text: content.text)
        #expect(
            state.hear(.ephemeral(content, at: .ms(7)), now: .ms(1000))
                == [.deliver(.ephemeral(room: .lobby, event))])
    }

    // MARK: Receipts

    private func receipts(_ delivered: Offset, epoch: Epoch = epoch) -> ClusterMessage {
        .receipts(epoch, [UserReceipt(user: .alice, Receipt(delivered: delivered))])
    }

    private func told(_ actions: [HubAction]) -> [Offset] {
        actions.flatMap { action -> [Offset] in
            if case .deliver(.receipt(_, let receipts), _, _) = action { receipts.map(\.receipt.delivered) } else { [] }
        }
    }

    @Test func receiptsAreTold() {
        var state = HubState.makeOnBus(.alice, .bob, head: 5)
        #expect(told(state.hear(receipts(4), now: .ms(1000))) == [4])
        // Neither again nor back.
        #expect(told(state.hear(receipts(4), now: .ms(1000))) == [])
        #expect(told(state.hear(receipts(3), now: .ms(1000))) == [])
        #expect(told(state.hear(receipts(5, epoch: second), now: .ms(1000))) == [])
    }

    @Test func receiptsOfEntriesThatAreOnTheirWayAreToldAfterThem() {
        var state = HubState.makeOnBus(.alice, .bob, head: 5)
        _ = state.hear(receipts(5), now: .ms(1000))
        #expect(told(state.hear(receipts(7), now: .ms(1000))) == [])
        #expect(told(state.hear(.entries(6), now: .ms(1010))) == [])
        let actions = state.hear(.entries(7), now: .ms(1020))
        #expect(actions.delivered == [7])
        #expect(told(actions) == [7])
        #expect(state.timerFires(at: .ms(1100)).reads == [])
        #expect(state.catchUps.isEmpty)
    }

    @Test func receiptsRevealALostEntry() throws {
        var state = HubState.makeOnBus(.alice, .bob, head: 5)
        _ = state.hear(receipts(6), now: .ms(1000))
        #expect(state.timerFires(at: .ms(1099)).reads == [])
        let read = try #require(state.timerFires(at: .ms(1100)).reads.first)
        let actions = page(&state, read, .make(head: 6, 6...6), at: 1110)
        #expect(actions.delivered == [6])
        #expect(told(actions) == [6])
    }
}
