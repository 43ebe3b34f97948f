import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Which entries of direct conversations have come by the bus, so that the store isn't read for them.
struct ReceivedDirectEntriesTests {
    private let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))
    private let limits = ClusterLimits()
    private var entries = ReceivedDirectEntries()

    private mutating func note(
        _ offsets: Offset..., epoch: Epoch = epoch, for user: UserID = .alice, at time: UInt64 = 0
    ) {
        entries.note(
            RoomEntries(epoch, offsets.map { .make($0) }), in: room, for: user, now: .ms(time), limits: limits)
    }

    private func contains(_ offsets: ClosedRange<Offset>, epoch: Epoch = epoch, for user: UserID = .alice) -> Bool {
        entries.contain(DirectNews.Item(number: 1, room: room, epoch: epoch, offsets: offsets), for: user)
    }

    @Test mutating func onlyWholeItemsCount() {
        note(4, 5)
        #expect(contains(4...5))
        #expect(contains(5...5))
        #expect(!contains(3...5))
        #expect(!contains(5...6))
        note(6)
        #expect(contains(4...6))
    }

    @Test mutating func itemWithAHoleIsMissing() {
        note(4, 6)
        #expect(!contains(4...6))
        #expect(contains(4...4))
        #expect(contains(6...6))
    }

    /// Each of the two users has a topic, which only nodes with sessions of the user hear.
    @Test mutating func userIsToldOnTheirOwnTopicOnly() {
        note(4, for: .alice)
        #expect(!contains(4...4, for: .bob))
    }

    @Test mutating func otherEpochIsAnotherHistory() {
        note(4)
        #expect(!contains(4...4, epoch: Epoch("e2")))
        note(7, epoch: Epoch("e2"))
        #expect(contains(7...7, epoch: Epoch("e2")))
        #expect(!contains(4...4))
    }

    /// The list is read every 30 s, and may be read just before the entry is in it.
    @Test mutating func entriesAreRememberedForTwoIntervals() {
        note(4, at: 1_000_000)
        note(5, at: 1_029_999)
        #expect(contains(4...5))
        note(6, at: 1_030_000)
        #expect(contains(4...5))
        note(7, at: 1_060_000)
        #expect(!contains(4...5))
        #expect(contains(6...6))
    }

    @Test mutating func rangesOfAConversationAreBounded() {
        for offset in stride(from: 2, through: 16, by: 2) as StrideThrough<Offset> { note(offset) }
        note(18)
        #expect(contains(16...16))
        // It is read from the store again, and devices ignore it.
        #expect(!contains(18...18))
    }
}
