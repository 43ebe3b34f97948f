import CGoHubLinux
import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Slow clients whose end makes others overflow, which are in rooms with others, and so on, all in one turn.
@Suite struct NestedDropTests {
    /// A chain: each client is in its own room and in the next client's room. Its leaving sends the next room's frames,
    /// which overflow the next client.
    private static let clientCount = 150
    /// The stack size of a loop's thread: enough for a turn, but not for one nested call per client of the chain.
    private static let stackBytes = 128 * 1024

    @Test func chainOfSlowClientsNeedsNoDeepStack() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                var attributes = pthread_attr_t()
                pthread_attr_init(&attributes)
                pthread_attr_setstacksize(&attributes, NestedDropTests.stackBytes)
                try #require(pthread_setattr_default_np(&attributes) == 0)
                try await NestedDropTests.breakTheChain()
            }
        }
    }

    private static func breakTheChain() async throws {
        var limits = Limits.patient
        limits.textBytesMax = 60_000
        limits.messageBytesMax = 120_000
        limits.queueBytesMax = 100_000
        limits.queueWatermarkBytes = 90_000
        limits.heartbeat = 600_000
        limits.presenceDelay = 600_000
        try await ServerFixture.run(
            limits: limits,
            configure: {
                $0.loops = 1; $0.closeTimeout = 300
            }
        ) { fixture in
            let target = Attack.Target(port: fixture.port, tls: nil)
            let peers = try await Siege.offThePool {
                try (0..<clientCount).map { number in
                    let peer = try target.peer(receiveBytes: 4096)
                    try peer.join("r\(number)", as: "slow\(number)")
                    peer.join(next: "r\(number + 1)")
                    return peer
                }
            }
            try await fixture.until("all are in two rooms") {
                await fixture.server.ask(0, orElse: false) { loop in
                    loop.connections.values.allSatisfy { $0.session?.subscriptions.count == 2 }
                }
            }
            await fixture.server.ask(0, orElse: ()) { loop in
                for connection in loop.connections.values {
                    var bytes: Int32 = 4096
                    setsockopt(connection.descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, 4)
                }
            }
            // Each queue has space for only one more text: two rooms send, then one of them again.
            let publisher = Publisher(fixture: fixture)
            for room in 0...clientCount { await publisher.publish(["r\(room)"], bytes: 40_000) }
            #expect(await fixture.server.statistics().connections == clientCount)
            // All in one turn. The frames of every room wait for its end, except the first room's: they are so long
            // that they are sent immediately, and overflow the first client.
            await publisher.publish((1...clientCount).map { "r\($0)" } + ["r0", "r0"], bytes: 60_000 - 100)
            try await fixture.until("all were dropped") { await fixture.server.statistics().connections == 0 }
            for peer in peers { peer.end() }
        }
    }

    /// Sends to many rooms in one turn of the only loop.
    private final class Publisher {
        private let fixture: ServerFixture
        private var number = 0

        init(fixture: ServerFixture) {
            self.fixture = fixture
        }

        func publish(_ rooms: [String], bytes: Int) async {
            let text = String(repeating: "x", count: bytes)
            let drafts = rooms.map { room in
                number += 1
                return MessageDraft(
                    room: .named(room), id: .named("n\(number)"), from: Member(user: .bob), receivedAt: .now(),
                    text: text)
            }
            await fixture.server.ask(0, orElse: ()) { loop in
                for draft in drafts {
                    loop.request(draft.id, { .published(AppendRequest(requester: $0, draft: draft)) }) { _ in }
                }
            }
        }
    }
}

extension HostilePeer {
    fileprivate func join(next room: String) { send(Self.join(room)) }
}
