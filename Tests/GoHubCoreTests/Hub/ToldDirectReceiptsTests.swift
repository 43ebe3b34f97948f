import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Receipts of direct conversations come from several nodes in any order, and devices never see one go back.
struct ToldDirectReceiptsTests {
    private let room = RoomName.direct(.alice, .bob)
    private var told = ToldDirectReceipts()

    private mutating func news(
        _ receipts: [UserID: Receipt], _ epoch: Epoch? = epoch, in room: RoomName? = nil, to reader: UserID = .alice
    ) -> [UserReceipt] {
        told.news(
            receipts.sorted { $0.key < $1.key }.map { UserReceipt(user: $0.key, $0.value) }, epoch,
            in: room ?? self.room, to: UserKey(tenant: .standard, user: reader))
    }

    @Test mutating func laterReceiptIsNewsAndEarlierIsNot() {
        #expect(news([.bob: Receipt(delivered: 3)]) == [UserReceipt(user: .bob, Receipt(delivered: 3))])
        #expect(news([.bob: Receipt(delivered: 3)]) == [])
        #expect(news([.bob: Receipt(delivered: 2)]) == [])
        #expect(news([.bob: Receipt(delivered: 4)]) == [UserReceipt(user: .bob, Receipt(delivered: 4))])
    }

    /// One node has told more of one part, another of the other.
    @Test mutating func partsOfAReceiptAreMerged() {
        _ = news([.bob: Receipt(delivered: 5, seen: 1)])
        #expect(
            news([.bob: Receipt(delivered: 4, seen: 4)]) == [UserReceipt(user: .bob, Receipt(delivered: 5, seen: 4))])
    }

    @Test mutating func onlyTheUsersWithNewsAreTold() {
        _ = news([.alice: Receipt(delivered: 5), .bob: Receipt(delivered: 5)])
        #expect(
            news([.alice: Receipt(delivered: 5), .bob: Receipt(delivered: 6)])
                == [UserReceipt(user: .bob, Receipt(delivered: 6))])
    }

    @Test mutating func readersAndConversationsAreApart() {
        _ = news([.bob: Receipt(delivered: 5)])
        #expect(news([.bob: Receipt(delivered: 3)], to: .bob).count == 1)
        #expect(news([.bob: Receipt(delivered: 3)], in: .direct(.bob, .carol)).count == 1)
    }

    @Test mutating func anotherEpochBeginsAnew() {
        _ = news([.bob: Receipt(delivered: 5)])
        #expect(news([.bob: Receipt(delivered: 1)], Epoch("e2")).count == 1)
    }

    /// This node's own receipts come without an epoch.
    @Test mutating func receiptWithoutEpochBelongsToTheKnownOne() {
        _ = news([.bob: Receipt(delivered: 5)])
        #expect(news([.bob: Receipt(delivered: 4)], nil) == [])
        #expect(news([.bob: Receipt(delivered: 6)], nil).count == 1)
        #expect(news([.bob: Receipt(delivered: 5)]) == [])
    }

    @Test mutating func conversationInUseOutlivesManyOthers() {
        _ = news([.bob: Receipt(delivered: 5)])
        for number in 0..<ToldDirectReceipts.conversationsMax {
            let other = RoomName.direct(.alice, .named("user\(number)"))
            #expect(news([.alice: Receipt(delivered: 1)], in: other).count == 1)
            if number % 1_000 == 0 { #expect(news([.bob: Receipt(delivered: 5)]) == []) }
        }
        #expect(news([.bob: Receipt(delivered: 4)]) == [])
    }

    @Test mutating func unusedConversationIsForgotten() {
        _ = news([.bob: Receipt(delivered: 5)])
        for number in 0...ToldDirectReceipts.conversationsMax {
            _ = news([.alice: Receipt(delivered: 1)], in: .direct(.alice, .named("user\(number)")))
        }
        #expect(news([.bob: Receipt(delivered: 4)]).count == 1)
    }
}
