import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Entries that came too early: they are held, the hole is named, and all leave in order.
struct HoldBackTests {
    private let epoch = Epoch("e1")
    private var hold = HoldBack(entriesMax: 4, bytesMax: 10_000)
    private var budget = HoldBudget(entriesMax: 100, bytesMax: 100_000)

    private func entry(_ offset: Offset, text: String = "x", _ kind: MessageContent.Kind = .plain) -> StoredMessage {
        let content = MessageContent(
            id: .named("m\(offset)"), from: Member(user: .alice), text: text, kind: kind)
        return StoredMessage(offset: offset, at: .ms(Int64(offset)), content)
    }

    private func change(_ offset: Offset, of target: Offset, text: String = "", _ kind: MessageChange.Kind)
        -> StoredMessage
    {
        entry(offset, text: text, .change(MessageChange(of: target, kind)))
    }

    private func head(_ offset: Offset, _ epoch: String = "e1") -> Position {
        Position(epoch: Epoch(epoch), offset: offset)
    }

    private mutating func arrive(_ offset: Offset, head: Position?, _ epoch: String = "e1") -> HoldBack.Outcome {
        hold.arrived(entry(offset), Epoch(epoch), head: head, budget: &budget)
    }

    private mutating func take(after offset: Offset) -> [Offset] {
        var (taken, last) = ([Offset](), offset)
        while let entry = hold.takeNext(after: head(last), budget: &budget) {
            taken.append(entry.offset)
            last = entry.offset
        }
        return taken
    }

    // MARK: Order

    @Test mutating func nextEntryIsNotHeld() {
        #expect(arrive(6, head: head(5)) == .next)
        #expect(hold.isEmpty)
        #expect(hold.missing(after: head(6)) == nil)
    }

    @Test mutating func earlyEntriesLeaveInOrderWhenTheHoleIsFilled() {
        #expect(arrive(9, head: head(5)) == .held)
        #expect(arrive(7, head: head(5)) == .held)
        #expect(arrive(8, head: head(5)) == .held)
        #expect(hold.missing(after: head(5)) == 6...6)
        #expect(take(after: 5) == [])
        #expect(arrive(6, head: head(5)) == .next)
        #expect(take(after: 6) == [7, 8, 9])
        #expect(hold.isEmpty)
        #expect(budget.entries == 0 && budget.bytes == 0)
    }

    @Test mutating func secondHoleIsNamedAfterTheFirst() {
        _ = arrive(8, head: head(5))
        _ = arrive(12, head: head(5))
        #expect(hold.missing(after: head(5)) == 6...7)
        #expect(take(after: 7) == [8])
        #expect(hold.missing(after: head(8)) == 9...11)
        #expect(hold.lag(behind: head(8)) == 4)
    }

    @Test mutating func repeatsAreKnown() {
        #expect(arrive(5, head: head(5)) == .isKnown)
        #expect(arrive(1, head: head(5)) == .isKnown)
        #expect(arrive(8, head: head(5)) == .held)
        #expect(arrive(8, head: head(5)) == .isKnown)
        #expect(hold.count == 1 && budget.entries == 1)
    }

    @Test mutating func entriesThatAReadHasOvertakenAreDropped() {
        _ = arrive(7, head: head(5))
        _ = arrive(8, head: head(5))
        _ = arrive(10, head: head(5))
        #expect(take(after: 9) == [10])
        #expect(hold.isEmpty && budget.bytes == 0)
    }

    // MARK: Hints

    @Test mutating func headWithoutEntriesIsAHole() {
        #expect(hold.heardOf(head(9), head: head(5)) == true)
        #expect(hold.missing(after: head(5)) == 6...9)
        #expect(hold.missing(after: head(9)) == nil)
    }

    @Test mutating func oldHeadIsNoNews() {
        #expect(hold.heardOf(head(5), head: head(5)) == true)
        #expect(hold.missing(after: head(5)) == nil)
    }

    @Test mutating func headOfAnotherEpochIsRefused() {
        #expect(hold.heardOf(head(9, "e2"), head: head(5)) == false)
        #expect(hold.missing(after: head(5)) == nil)
    }

    /// A false hint must not make the hub read for ever.
    @Test mutating func storeIsBelievedAgainstAHint() {
        _ = hold.heardOf(head(.max), head: head(5))
        _ = arrive(9, head: head(5))
        #expect(hold.believe(head(7), budget: &budget) == true)
        #expect(hold.isEmpty)
        #expect(hold.missing(after: head(5)) == 6...7)
        #expect(hold.believe(head(7), budget: &budget) == false)
    }

    @Test mutating func storeOfAnotherEpochIsBelieved() {
        _ = arrive(9, head: nil)
        #expect(hold.believe(head(12, "e2"), budget: &budget) == true)
        #expect(hold.isEmpty && budget.entries == 0)
    }

    // MARK: Epochs

    @Test mutating func entryOfAnotherEpochIsNotHeld() {
        _ = arrive(7, head: head(5))
        #expect(arrive(6, head: head(5), "e2") == .otherEpoch)
        #expect(hold.count == 1)
    }

    /// Entries that arrive while a room's first page is read.
    @Test mutating func entriesBeforeTheHeadIsKnownWaitForIt() {
        #expect(arrive(7, head: nil) == .held)
        #expect(arrive(8, head: nil) == .held)
        #expect(take(after: 6) == [7, 8])
    }

    @Test mutating func entriesOfTheOtherEpochAreDroppedWhenTheHeadIsKnown() {
        _ = arrive(7, head: nil)
        #expect(arrive(3, head: nil, "e2") == .held)
        #expect(hold.count == 1)
        #expect(hold.missing(after: head(5)) == 6...7)
        #expect(take(after: 5) == [])
        #expect(hold.isEmpty && budget.entries == 0)
    }

    /// Otherwise the room would stand still until the next message.
    @Test mutating func newestOffsetOfEachEpochIsRememberedUntilTheHeadIsKnown() {
        _ = arrive(7, head: nil)
        _ = arrive(3, head: nil, "e2")
        hold.settle(head(5), budget: &budget)
        #expect(hold.missing(after: head(5)) == 6...7)
        #expect(hold.known(in: Epoch("e2")) == nil)
    }

    @Test mutating func manyEpochsAreNotRemembered() {
        for number in 1...100 { _ = arrive(7, head: nil, "e\(number)") }
        #expect(hold.known(in: Epoch("e1")) == nil)
        #expect(hold.known(in: Epoch("e100")) == 7)
    }

    // MARK: Bounds

    @Test mutating func lowestOffsetsAreKept() {
        for offset in [9, 8, 11, 10] as [Offset] { #expect(arrive(offset, head: head(5)) == .held) }
        #expect(arrive(12, head: head(5)) == .dropped)
        #expect(arrive(7, head: head(5)) == .held)
        #expect(hold.count == 4)
        #expect(take(after: 6) == [7, 8, 9, 10])
        // The dropped ones aren't forgotten.
        #expect(hold.missing(after: head(10)) == 11...12)
    }

    @Test mutating func bytesAreBounded() {
        hold = HoldBack(entriesMax: 100, bytesMax: 3000)
        let large = String(repeating: "x", count: 1000)
        var outcomes: [HoldBack.Outcome] = []
        for offset in 7...9 as ClosedRange<Offset> {
            outcomes.append(hold.arrived(entry(offset, text: large), epoch, head: head(5), budget: &budget))
        }
        #expect(outcomes == [.held, .held, .dropped])
        #expect(hold.byteCount <= 3000 && budget.bytes == hold.byteCount)
    }

    @Test mutating func roomsOfAShardShareABudget() {
        budget = HoldBudget(entriesMax: 3, bytesMax: 100_000)
        var other = HoldBack(entriesMax: 4, bytesMax: 10_000)
        _ = other.arrived(entry(7), epoch, head: head(5), budget: &budget)
        _ = other.arrived(entry(8), epoch, head: head(5), budget: &budget)
        #expect(arrive(7, head: head(5)) == .held)
        #expect(arrive(8, head: head(5)) == .dropped)
        other.removeAll(budget: &budget)
        #expect(budget.entries == 1)
        #expect(arrive(8, head: head(5)) == .held)
    }

    // MARK: Changes

    @Test mutating func deletedTextIsNotDelivered() {
        _ = hold.arrived(entry(7, text: "secret"), epoch, head: head(5), budget: &budget)
        _ = hold.arrived(change(9, of: 7, .deleted), epoch, head: head(5), budget: &budget)
        let taken = hold.takeNext(after: head(6), budget: &budget)
        #expect(taken?.text == "" && taken?.amendments?.deleted?.offset == 9)
    }

    @Test mutating func deletedTextOfAReadPageIsNotDelivered() {
        _ = hold.arrived(change(9, of: 6, .deleted), epoch, head: head(5), budget: &budget)
        #expect(hold.amended([entry(6, text: "secret"), entry(7)]).map(\.text) == ["", "x"])
    }

    @Test(arguments: [[7, 8, 9], [9, 8, 7], [8, 9, 7], [9, 7, 8]] as [[Offset]])
    mutating func changesApplyInTheOrderOfTheirOffsets(arrivals: [Offset]) {
        let entries: [Offset: StoredMessage] = [
            7: entry(7, text: "first"), 8: change(8, of: 7, text: "second", .edited),
            9: change(9, of: 7, text: "third", .edited),
        ]
        for offset in arrivals {
            guard let entry = entries[offset] else { continue }
            _ = hold.arrived(entry, epoch, head: head(5), budget: &budget)
        }
        var taken: [String] = []
        for last in 6...8 as ClosedRange<Offset> {
            if let entry = hold.takeNext(after: head(last), budget: &budget) { taken.append(entry.text) }
        }
        // The earlier edit shows the current text, too.
        #expect(taken == ["third", "third", "third"])
    }

    @Test mutating func deletionThatDoesNotFitAppliesNevertheless() {
        hold = HoldBack(entriesMax: 1, bytesMax: 10_000)
        _ = hold.arrived(entry(7, text: "secret"), epoch, head: head(5), budget: &budget)
        let deletion = change(9, of: 7, .deleted)
        #expect(hold.arrived(deletion, epoch, head: head(5), budget: &budget) == .dropped)
        #expect(hold.takeNext(after: head(6), budget: &budget)?.text == "")
        #expect(budget.bytes == 0 && hold.byteCount == 0)
    }

    @Test mutating func deletionThatMakesSpaceAppliesNevertheless() {
        hold = HoldBack(entriesMax: 2, bytesMax: 10_000)
        _ = hold.arrived(entry(8, text: "secret"), epoch, head: head(5), budget: &budget)
        _ = hold.arrived(change(9, of: 8, .deleted), epoch, head: head(5), budget: &budget)
        #expect(arrive(7, head: head(5)) == .held)
        #expect(hold.takeNext(after: head(7), budget: &budget)?.text == "")
    }
}
