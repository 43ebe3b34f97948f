import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore

struct OutboxTests {
    private static let small: Limits = {
        var limits = Limits()
        limits.queueBytesMax = 100
        limits.queueWatermarkBytes = 40
        return limits
    }()

    /// 13 bytes: `{"op":"ping"}`.
    private let ping = EncodedEvent(.ping)

    private func notice(_ text: String) -> EncodedEvent { EncodedEvent(.notice(id: nil, room: nil, text: text)) }

    @Test func deliversInOrderThenClose() async {
        let outbox = Outbox()
        for number in 1...3 { #expect(outbox.offer(notice("\(number)")) == .accepted) }
        outbox.close(.replaced)
        var seen: [String] = []
        while let item = await outbox.next() { seen.append(describe(item)) }
        #expect(seen == ["1", "2", "3", "4500"])
        #expect(await outbox.next() == nil)
    }

    @Test func offerWakesWaitingReader() async {
        let outbox = Outbox()
        async let first = outbox.next()
        async let offered: Void = offerWhenAwaited(outbox)
        await offered
        #expect(await first.map(describe) == "late")
    }

    @Test func closeWakesWaitingReader() async {
        let outbox = Outbox()
        let reader = Task { await outbox.next() }
        outbox.close(.goingAway)
        #expect(await reader.value.map(describe) == "1001")
        #expect(await outbox.next() == nil)
    }

    @Test func firstCloseWins() async {
        let outbox = Outbox()
        outbox.close(.slowConsumer)
        outbox.close(.normal)
        #expect(outbox.offer(ping) == .overflow)
        #expect(await outbox.next().map(describe) == "4001")
        #expect(await outbox.next() == nil)
    }

    @Test func onlyCloseRemainsAfterOverflow() async {
        let outbox = Outbox(limits: Self.small)
        var results: [OfferResult] = []
        for _ in 0..<9 { results.append(outbox.offer(ping)) }
        #expect(results.prefix(3) == [.accepted, .accepted, .accepted])
        #expect(results[3...6].allSatisfy { $0 == .acceptedAboveWatermark })
        #expect(results.suffix(2) == [.overflow, .overflow])
        outbox.close(.slowConsumer)
        #expect(await outbox.next().map(describe) == "4001")
        #expect(await outbox.next() == nil)
    }

    @Test func overflowIsPermanent() async {
        let outbox = Outbox(limits: Self.small)
        while outbox.offer(ping) != .overflow {}
        for _ in 0..<7 { _ = await outbox.next() }
        let reader = Task { await outbox.next() }
        await Task.yield()
        #expect(outbox.offer(ping) == .overflow)
        outbox.close(.slowConsumer)
        #expect(await reader.value.map(describe) == "4001")
    }

    @Test func writabilityIsReportedOnce() async {
        let told = Counter()
        let outbox = Outbox(limits: Self.small) { told.increment() }
        for _ in 0..<5 { _ = outbox.offer(ping) }
        for _ in 0..<3 { _ = await outbox.next() }
        #expect(told.value == 0)
        _ = await outbox.next()
        #expect(told.value == 1)
        _ = await outbox.next()
        #expect(told.value == 1)
    }

    @Test func cancelledReaderTakesNothing() async {
        let outbox = Outbox()
        let reader = Task { await outbox.next() }
        reader.cancel()
        #expect(await reader.value == nil)
        #expect(outbox.offer(notice("kept")) == .accepted)
        #expect(await outbox.next().map(describe) == "kept")
    }

    private func offerWhenAwaited(_ outbox: Outbox) async {
        _ = outbox.offer(notice("late"))
    }

    private func describe(_ item: Outbox.Item) -> String {
        switch item {
        case .event(let event):
            if case .notice(_, _, let text) = event.event { text } else { event.text }
        case .closed(let code): "\(code.rawValue)"
        }
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func increment() {
        count.withLock { $0 += 1 }
    }
}
