import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Receipts from nodes that are ahead.
struct EarlyReceiptsTests {
    private var receipts = EarlyReceipts(usersMax: 2)
    private let epoch = Epoch("e1")

    private func head(_ offset: Offset, _ epoch: String = "e1") -> Position {
        Position(epoch: Epoch(epoch), offset: offset)
    }

    private mutating func arrive(_ user: UserID, _ receipt: Receipt, head: Position?) -> UserReceipt? {
        receipts.arrived(UserReceipt(user: user, receipt), epoch, head: head)
    }

    @Test mutating func receiptUpToTheHeadDoesNotWait() {
        #expect(
            arrive(.alice, Receipt(delivered: 5, seen: 3), head: head(5))
                == UserReceipt(user: .alice, Receipt(delivered: 5, seen: 3)))
        #expect(receipts.isEmpty)
    }

    @Test mutating func receiptBeyondTheHeadWaitsForIt() {
        #expect(arrive(.alice, Receipt(seen: 7), head: head(5)) == UserReceipt(user: .alice, Receipt(seen: 5)))
        #expect(receipts.reached(head(6)) == [])
        #expect(receipts.reached(head(7)) == [UserReceipt(user: .alice, Receipt(seen: 7))])
        #expect(receipts.isEmpty)
    }

    @Test mutating func waitingReceiptsOfAUserAreMerged() {
        _ = arrive(.alice, Receipt(delivered: 9), head: head(5))
        _ = arrive(.alice, Receipt(seen: 7), head: head(5))
        #expect(receipts.reached(head(9)) == [UserReceipt(user: .alice, Receipt(delivered: 9, seen: 7))])
    }

    @Test mutating func receiptBeforeTheHeadIsKnownWaits() {
        #expect(arrive(.alice, Receipt(seen: 3), head: nil) == nil)
        #expect(receipts.reached(head(5)) == [UserReceipt(user: .alice, Receipt(seen: 3))])
    }

    @Test mutating func receiptOfAnotherEpochIsDropped() {
        #expect(arrive(.alice, Receipt(seen: 3), head: head(5, "e2")) == nil)
        #expect(receipts.isEmpty)
        _ = arrive(.alice, Receipt(seen: 9), head: head(5))
        #expect(receipts.reached(head(20, "e2")) == [])
        #expect(receipts.isEmpty)
    }

    @Test mutating func usersAreBounded() {
        for user in [.alice, .bob, .carol] as [UserID] { _ = arrive(user, Receipt(seen: 9), head: head(5)) }
        #expect(receipts.count == 2)
        _ = arrive(.bob, Receipt(seen: 8), head: head(5))
        #expect(receipts.reached(head(9)).map(\.user) == [.alice, .bob])
    }
}
