import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Many clients that stop reading in a busy room: each costs queue entries, and all of them together the room's bytes
/// once.
@Suite struct StalledReaderTests {
    private static let readerCount = 60
    private static let textBytes = 50_000

    init() {
        ProcessState.countExactlyInChildren()
    }

    @Test(arguments: [false, true]) func queuesShareTheRoomsBytes(isTLS: Bool) async {
        if isTLS {
            await #expect(processExitsWith: .success) {
                await recordingErrors { try await StalledReaderTests.stallAndDrop(isTLS: true) }
            }
        } else {
            await #expect(processExitsWith: .success) {
                await recordingErrors { try await StalledReaderTests.stallAndDrop(isTLS: false) }
            }
        }
    }

    private static func stallAndDrop(isTLS: Bool) async throws {
        var limits = Limits.patient
        limits.textBytesMax = textBytes
        limits.messageBytesMax = 2 * textBytes
        limits.heartbeat = 600_000
        let capacity = InMemoryMessageStore.Capacity(messagesPerRoomMax: 2)
        try await ServerFixture.run(
            isTLS: isTLS, limits: limits, store: InMemoryMessageStore(capacity: capacity),
            configure: { $0.closeTimeout = 300 }
        ) { fixture in
            let room = Busy(fixture: fixture, reader: try await fixture.join(as: "well"))
            var growth = HeapGrowth(of: .session)
            while growth.wantsAnotherRound {
                let before = ProcessState.now()
                let readers = try await room.stalled(readerCount)
                // They are clients of this process, so they cost it something too.
                let connected = ProcessState.now()
                for _ in 0..<12 { try await room.publish() }
                let waiting = await room.waitingBytes()
                let grown = ProcessState.now().heapBytes - connected.heapBytes
                #expect(waiting.count == readerCount)
                #expect(waiting.allSatisfy { $0 <= limits.queueBytesMax })
                let total = waiting.reduce(0, +)
                #expect(total > readerCount * 8 * textBytes, "what the sockets took is not what was to be tested")
                // One queue's bytes for each loop, not for each client.
                #expect(grown < total / 8, "\(grown) bytes hold \(total) that wait")

                try await room.dropAll(readers)
                let after = ProcessState.now()
                growth.add(from: before, to: after, culprits: readerCount)
                if !growth.isWarmingUp { #expect(after.descriptors == before.descriptors) }
            }
            #expect(growth.isWithinBounds, "\(growth)")
        }
    }

    /// A room that is published to, and one client that reads all of it.
    private final class Busy {
        private let fixture: ServerFixture
        private let reader: WebSocketTestClient
        private var published = 0
        private let text = String(repeating: "x", count: StalledReaderTests.textBytes - 10)

        init(fixture: ServerFixture, reader: WebSocketTestClient) {
            self.fixture = fixture
            self.reader = reader
        }

        /// Joins, and reads nothing after that. The sockets' own buffers are small on both sides, so that bytes wait in
        /// the queues.
        func stalled(_ count: Int) async throws -> [HostilePeer] {
            let target = Attack.Target(port: fixture.port, tls: fixture.tlsOptions)
            let peers = try await Siege.offThePool {
                try (0..<count).map { number in
                    let peer = try target.peer(receiveBytes: 4096)
                    try peer.join("lobby", as: "stalled\(number)")
                    return peer
                }
            }
            for index in 0..<fixture.loops {
                await fixture.server.ask(index, orElse: ()) { loop in
                    for connection in loop.connections.values {
                        var bytes: Int32 = 8192
                        setsockopt(connection.descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, 4)
                    }
                }
            }
            return peers
        }

        /// The healthy client receives each message, in order.
        func publish() async throws {
            published += 1
            let reply = await fixture.server.publish(
                "\(published) \(text)", to: .lobby, from: Member(user: .bob), id: .named("n\(published)"))
            guard case .ack = reply else {
                Issue.record("not published: \(reply)")
                return
            }
            #expect(try await reader.expect("message")["offset"] == published)
        }

        /// The queued bytes of each client that doesn't read.
        func waitingBytes() async -> [Int] {
            var waiting: [Int] = []
            for index in 0..<fixture.loops {
                waiting += await fixture.server.ask(index, orElse: []) { loop in
                    loop.connections.values.map(\.outgoing.blockedBytes).filter { $0 > 0 }
                }
            }
            return waiting
        }

        /// Publishes until the server has dropped all clients that don't read.
        func dropAll(_ stalled: [HostilePeer]) async throws {
            for _ in 0..<40 { try await publish() }
            try await fixture.until("only who reads is there") {
                await fixture.server.statistics() == ServerStatistics(connections: 1, sessions: 1, rooms: 1)
            }
            for peer in stalled { peer.end() }
        }
    }
}
