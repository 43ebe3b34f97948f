import GoHubTestSupport
import Testing

@testable import GoHubCore

/// The order in which a shard sends to one session.
struct ShardOrderTests {
    private let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))
    private var shard = Shard(limits: Limits())
    private let alice = SessionID.number(1)

    init() {
        shard.add(.connected(alice, .of(.alice)))
        _ = actions()
    }

    /// The shard's actions until it is idle, without forwarded inputs, which this only shard takes itself.
    private mutating func actions(now: MonotonicTime = .ms(0)) -> [HubAction] {
        var actions: [HubAction] = []
        while let action = shard.next(now: now) {
            if case .forward(let input) = action { shard.add(input) } else { actions.append(action) }
        }
        return actions
    }

    /// The events of a conversation take the way over the users' owners. The answer of a join must not be faster.
    @Test mutating func joinOfAConversationIsAnsweredAfterAReceiptBeforeIt() {
        shard.add(.receipted(.bob, direct, Receipt(seen: 2)))
        guard case .read(let early, let earlyPending)? = actions().first else {
            Issue.record("the conversation is not read")
            return
        }
        shard.answered(.historyRead(earlyPending, .success(.make(head: 2)), early), now: .ms(0))
        _ = actions()
        let join = JoinRequest.make(alice, .alice, room: direct, limit: 1)
        shard.add(.joined(join))
        guard case .read(let read, let pending)? = actions().first else {
            Issue.record("the join is not read")
            return
        }
        shard.timerFired(now: .ms(250))
        #expect(actions(now: .ms(250)).contains { if case .storeReceipts = $0 { true } else { false } })

        shard.answered(.receiptsStored(.success(())), now: .ms(260))
        shard.answered(.historyRead(pending, .success(.make(head: 2, 2...2)), read), now: .ms(260))
        let receipts = [UserReceipt(user: .bob, Receipt(seen: 2))]
        let joined = Event.joined(room: direct.name, head: 2, 2...2, receipts: receipts)
        #expect(
            actions(now: .ms(260)) == [
                .send(1, .event(.receipt(room: direct.name, receipts))), .send(1, .joined(joined)),
            ])
    }
}
