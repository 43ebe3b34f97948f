import GoHubTestSupport
import Testing

@testable import GoHubCore

struct OutboundQueueTests {
    private struct Bytes: OutboundElement, Equatable {
        var byteCount: Int
    }

    @Test func threeOutcomes() {
        var queue = OutboundQueue<Bytes>(bytesMax: 10, watermarkBytes: 4)
        #expect(queue.offer(Bytes(byteCount: 4)) == .accepted)
        #expect(queue.offer(Bytes(byteCount: 1)) == .acceptedAboveWatermark)
        #expect(queue.offer(Bytes(byteCount: 5)) == .acceptedAboveWatermark)
        #expect(queue.byteCount == 10)
        #expect(queue.offer(Bytes(byteCount: 1)) == .overflow)
        #expect(queue.byteCount == 10)
    }

    @Test func overflowIsPermanent() {
        var queue = OutboundQueue<Bytes>(bytesMax: 10, watermarkBytes: 4)
        #expect(queue.offer(Bytes(byteCount: 11)) == .overflow)
        #expect(queue.offer(Bytes(byteCount: 1)) == .overflow)
        queue.removeAll()
        #expect(queue.offer(Bytes(byteCount: 1)) == .overflow)
        #expect(queue.isEmpty)
    }

    @Test func backlogEndsAtHalfTheWatermark() {
        var queue = OutboundQueue<Bytes>(bytesMax: 100, watermarkBytes: 8)
        for _ in 0..<9 { _ = queue.offer(Bytes(byteCount: 1)) }
        #expect(queue.isAboveWatermark)
        for _ in 0..<4 { _ = queue.take() }
        #expect(queue.byteCount == 5)
        #expect(queue.isAboveWatermark)
        #expect(queue.offer(Bytes(byteCount: 1)) == .acceptedAboveWatermark)
        for _ in 0..<2 { _ = queue.take() }
        #expect(!queue.isAboveWatermark)
        #expect(queue.offer(Bytes(byteCount: 4)) == .accepted)
    }

    @Test func keepsTheOrder() {
        var queue = OutboundQueue<Bytes>(bytesMax: 100, watermarkBytes: 8)
        for count in 1...5 { _ = queue.offer(Bytes(byteCount: count)) }
        #expect(queue.first == Bytes(byteCount: 1))
        for count in 1...5 { #expect(queue.take() == Bytes(byteCount: count)) }
        #expect(queue.take() == nil)
        #expect(queue.byteCount == 0)
    }

    @Test(arguments: 0..<20)
    func byteCountMatchesContents(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = OutboundQueue<Bytes>(bytesMax: 500, watermarkBytes: 100)
        var model: [Int] = []
        for _ in 0..<500 {
            if random.once(in: 2) {
                let count = Int.random(in: 0...60, using: &random)
                let fits = !queue.hasOverflowed && model.reduce(0, +) + count <= 500
                #expect((queue.offer(Bytes(byteCount: count)) != .overflow) == fits)
                if fits { model.append(count) }
            } else {
                #expect(queue.take()?.byteCount == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.byteCount == model.reduce(0, +))
        }
    }
}
