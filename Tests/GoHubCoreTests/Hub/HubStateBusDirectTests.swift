import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Direct conversations over the bus: each of the two users has a topic, and no node has the conversation.
struct HubStateBusDirectTests {
    private let name = RoomName.direct(.alice, .bob)
    private let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))

    private func key(_ user: UserID) -> UserKey { UserKey(tenant: .standard, user: user) }

    private func direct(_ offsets: Offset...) -> ClusterMessage {
        .direct(name, RoomEntries(epoch, offsets.map { .make($0) }))
    }

    private func receipts(_ delivered: Offset, epoch: Epoch = epoch) -> ClusterMessage {
        .directReceipts(name, epoch, [UserReceipt(user: .bob, Receipt(delivered: delivered))])
    }

    private func told(_ actions: [HubAction]) -> [Offset] {
        actions.flatMap { action -> [Offset] in
            if case .send(_, .event(.receipt(_, let receipts))) = action {
                receipts.map(\.receipt.delivered)
            } else {
                []
            }
        }
    }

    @Test func entriesGoToAllDevicesOfTheUser() {
        var state = HubState.makeOnBus(.alice)
        state.settle(now: .ms(1000)) { $0.connected(.number(2), .of(.alice, .laptop), now: .ms(1000), into: &$1) }
        let event = HubMessage.event(.directMessage(room: name, epoch: epoch, .make(4)))
        #expect(
            state.hear(direct(4), to: .user(.alice), now: .ms(1000)) == [
                .send(1, event), .send(2, event),
                .forward(.directReceived(room, Position(epoch: epoch, offset: 4))),
            ])
    }

    /// Who may publish to one topic can't speak for another.
    @Test func entriesOfOthersAreIgnored() {
        var state = HubState.makeOnBus(.carol)
        #expect(state.hear(direct(4), to: .user(.carol), now: .ms(1000)) == [])
        let plain = ClusterMessage.direct(.lobby, RoomEntries(epoch, [.make(4)]))
        #expect(state.hear(plain, to: .user(.carol), now: .ms(1000)) == [])
        #expect(state.hear(direct(), to: .user(.alice), now: .ms(1000)) == [])
    }

    @Test func entriesFromTheBusAreNotReadFromTheStore() {
        var state = HubState.makeOnBus(.alice)
        _ = state.hear(direct(4, 5), to: .user(.alice), now: .ms(1000))
        func news(_ offsets: ClosedRange<Offset>) -> [HubAction] {
            let item = DirectNews.Item(number: 1, room: room, epoch: epoch, offsets: offsets)
            return state.actions { $0.directNews(key(.alice), item, into: &$1) }
        }
        // Bob's shard may not have heard of them.
        let asked = news(4...5)
        #expect(asked.count == 1)
        guard case .forward(.directNews(let user, _))? = asked.first else {
            Issue.record("\(asked)")
            return
        }
        #expect(user == key(.bob))
        let lost = news(4...6)
        guard case .forward(.directStored)? = lost.first else {
            Issue.record("\(lost)")
            return
        }
    }

    @Test func typingAndEphemeralMessagesReachTheUser() {
        var state = HubState.makeOnBus(.alice)
        let typed = state.hear(.directTyped(name, .bob, isActive: true), to: .user(.alice), now: .ms(1000))
        #expect(typed == [.send(1, .event(.typing(room: name, user: .bob, active: true)))])
        let content = AppendRequest.make(id: "m").draft.content
        let event = Event.Ephemeral(id: content.id, from: content.from, at: .ms(7), text: content.text)
        let sent = state.hear(.directEphemeral(name, content, at: .ms(7)), to: .user(.alice), now: .ms(1000))
        #expect(sent == [.send(1, .event(.ephemeral(room: name, event)))])
    }

    @Test func receiptsNeverGoBack() {
        var state = HubState.makeOnBus(.alice)
        #expect(told(state.hear(receipts(5), to: .user(.alice), from: .b, now: .ms(1000))) == [5])
        #expect(told(state.hear(receipts(4), to: .user(.alice), from: .c, now: .ms(1000))) == [])
        #expect(told(state.hear(receipts(6), to: .user(.alice), from: .c, now: .ms(1000))) == [6])
        // This node's own.
        let own = Event.receipt(room: name, [UserReceipt(user: .bob, Receipt(delivered: 5))])
        #expect(told(state.actions { $0.userAddressed(key(.alice), own, into: &$1) }) == [])
    }

    @Test func receiptsNeverGoBehindThoseOfTheJoin() {
        var state = HubState.makeOnBus(.alice)
        let joined = Event.joined(
            room: name, head: 9, members: .alice, receipts: [UserReceipt(user: .bob, Receipt(delivered: 7))])
        _ = state.actions { $0.conversationJoined(.number(1), key(.alice), joined, into: &$1) }
        #expect(told(state.hear(receipts(6), to: .user(.alice), now: .ms(1000))) == [])
        #expect(told(state.hear(receipts(8), to: .user(.alice), now: .ms(1000))) == [8])
    }
}
