import GoHubCore
import Testing

@testable import GoHubPreviews

/// Which image is next, and which waiting image is dropped.
@Suite struct PreviewQueueTests {
    private func filled(_ images: [(String, String)], waitingMax: Int = 8, userWaitingMax: Int = 8) -> PreviewQueue<
        String
    > {
        var queue = PreviewQueue<String>(waitingMax: waitingMax, userWaitingMax: userWaitingMax)
        for (user, image) in images { _ = queue.add(image, of: .named(user), idle: 0) }
        return queue
    }

    private func rest(_ queue: inout PreviewQueue<String>) -> [String] {
        var images: [String] = []
        while let image = queue.next() { images.append(image) }
        return images
    }

    private func answer(_ addition: PreviewQueue<String>.Addition) -> String {
        switch addition {
        case .waits: "waits"
        case .replaces(let image): "replaces \(image)"
        case .refused: "refused"
        }
    }

    @Test func usersTakeTurnsInOrder() {
        var queue = filled([("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2")])
        #expect(rest(&queue) == ["a1", "b1", "c1", "a2", "b2", "a3"])
        #expect(queue.count == 0 && queue.next() == nil)
    }

    @Test func returningUserQueuesLast() {
        var queue = filled([("a", "a1"), ("b", "b1")])
        #expect(queue.next() == "a1")
        _ = queue.add("a2", of: .named("a"), idle: 0)
        #expect(rest(&queue) == ["b1", "a2"])
    }

    @Test func aUserHasAShare() {
        var queue = filled([("a", "a1"), ("a", "a2")], userWaitingMax: 2)
        #expect(answer(queue.add("a3", of: .named("a"), idle: 0)) == "refused")
        #expect(answer(queue.add("b1", of: .named("b"), idle: 0)) == "waits")
        // An image that starts immediately doesn't wait.
        #expect(answer(queue.add("a3", of: .named("a"), idle: 1)) == "waits")
    }

    @Test func fullQueueDropsFromLargestUser() {
        var queue = filled([("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")], waitingMax: 4)
        #expect(answer(queue.add("c1", of: .named("c"), idle: 0)) == "replaces a3")
        // Both would have two: the user who had them first keeps them.
        #expect(answer(queue.add("c2", of: .named("c"), idle: 0)) == "refused")
        #expect(answer(queue.add("a4", of: .named("a"), idle: 0)) == "refused")
        #expect(answer(queue.add("d1", of: .named("d"), idle: 0)) == "replaces a2")
        #expect(answer(queue.add("e1", of: .named("e"), idle: 0)) == "refused")
        #expect(queue.count == 4)
        #expect(rest(&queue) == ["a1", "b1", "c1", "d1"])
    }

    @Test func idleHelperIsUsedWithoutQueue() {
        var queue = filled([], waitingMax: 0, userWaitingMax: 0)
        #expect(answer(queue.add("a1", of: .named("a"), idle: 1)) == "waits")
        #expect(answer(queue.add("b1", of: .named("b"), idle: 1)) == "refused")
        #expect(queue.next() == "a1")
        #expect(answer(queue.add("b1", of: .named("b"), idle: 0)) == "refused")
    }
}
