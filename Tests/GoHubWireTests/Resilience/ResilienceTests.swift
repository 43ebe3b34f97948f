import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Many hostile clients beside a few healthy ones. The healthy ones receive all their messages in order during the
/// attack, and afterwards the server holds the same resources as before.
///
/// Each test runs in a process of its own, because descriptors and memory are counted per process.
@Suite struct ResilienceTests {
    init() {
        ProcessState.countExactlyInChildren()
    }

    @Test func slowInEveryPhase() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                try await Siege.withstand(isTLS: false) { try await $0.assault(Attack.slow, ofEachKind: $1) }
            }
        }
    }

    @Test func slowInEveryPhaseOfTLS() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                try await Siege.withstand(isTLS: true) {
                    try await $0.assault(Attack.slow + Attack.slowClientHello, ofEachKind: $1)
                }
            }
        }
    }

    @Test func longAndEndlessHeads() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                for isTLS in [false, true] {
                    try await Siege.withstand(isTLS: isTLS) { try await $0.assault(Attack.heads, ofEachKind: $1) }
                }
            }
        }
    }

    @Test func falseLengths() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                for isTLS in [false, true] {
                    try await Siege.withstand(isTLS: isTLS) { try await $0.assault(Attack.lies, ofEachKind: $1) }
                }
            }
        }
    }

    @Test func floodsOfFrames() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                // More than the healthy clients send, and more than a flood's own side slows it down.
                let rates = RateLimiter.Rates(
                    connection: .perSecond(500, burst: 5_000), user: nil, address: nil, room: nil)
                for isTLS in [false, true] {
                    try await Siege.withstand(isTLS: isTLS, rates: rates, ofEachKind: 4, leak: .session) {
                        try await $0.assault(Attack.floods, ofEachKind: $1)
                    }
                }
            }
        }
    }

    @Test func abruptDisconnects() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                for isTLS in [false, true] {
                    try await Siege.withstand(isTLS: isTLS, ofEachKind: 20) {
                        try await $0.assault(Attack.departures, ofEachKind: $1)
                    }
                }
            }
        }
    }

    @Test func strangersAtThePort() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                for isTLS in [false, true] {
                    try await Siege.withstand(isTLS: isTLS) { try await $0.assault(Attack.strangers, ofEachKind: $1) }
                }
            }
        }
    }

    @Test func cutAtEveryByteOfAConversation() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                // Each position once.
                try await Siege.withstand(isTLS: false, ofEachKind: 1_000_000) { siege, count in
                    try await Conversation.cutEverywhere(siege, placesMax: count)
                }
                try await Siege.withstand(isTLS: true, ofEachKind: 64) { siege, count in
                    let inside = try await Conversation.cutEverywhere(siege, placesMax: count)
                    return try await inside + Conversation.cutClientHello(siege, placesMax: count)
                }
            }
        }
    }
}

/// Everything that one client sends from its handshake to its close, to be cut at any byte.
private enum Conversation {
    static let head = Array(WebSocketTestClient.request().utf8)

    static func frames(_ user: String) -> [UInt8] {
        HostilePeer.hello(user) + HostilePeer.join("hostile")
            + HostilePeer.text(#"{"op":"send","id":"1","room":"hostile","text":"cut me"}"#)
            + WebSocketTestClient.frame(8, [0x03, 0xE8])
    }

    /// The requested number of positions, evenly spread over `0...count`.
    private static func places(_ count: Int, _ placesMax: Int) -> [Int] {
        let step = max(1, count / placesMax)
        return Array(stride(from: 0, through: count, by: step))
    }

    /// One client for each position, which sends all bytes before it and then disconnects: by a reset, and every third
    /// time by FIN.
    static func cutEverywhere(_ siege: Siege, placesMax: Int) async throws -> Int {
        let target = Attack.Target(port: siege.fixture.port, tls: siege.fixture.tlsOptions)
        let places = places(head.count + frames("hostile000").count, placesMax)
        let acceptedBefore = await siege.acceptedCount()
        for place in places {
            try await Siege.offThePool {
                let peer = try target.peer()
                if place < head.count {
                    peer.send(Array(head[..<place]))
                } else {
                    try peer.upgrade()
                    peer.send(Array(frames("hostile\(100 + place % 900)").prefix(place - head.count)))
                }
                peer.end(isReset: place % 3 != 0)
            }
        }
        try await siege.fixture.until("all were accepted") {
            await siege.acceptedCount() == acceptedBefore + places.count
        }
        try await siege.untilPeace()
        return places.count
    }

    /// The same inside the first flight of a TLS handshake.
    static func cutClientHello(_ siege: Siege, placesMax: Int) async throws -> Int {
        let port = siege.fixture.port
        let hello = try clientHello()
        let places = places(hello.count, placesMax)
        let acceptedBefore = await siege.acceptedCount()
        for place in places {
            try await Siege.offThePool {
                let peer = try HostilePeer(port: port)
                peer.send(Array(hello[..<place]))
                peer.end(isReset: place % 3 != 0)
            }
        }
        try await siege.fixture.until("all were accepted") {
            await siege.acceptedCount() == acceptedBefore + places.count
        }
        try await siege.untilPeace()
        return places.count
    }

    /// The first bytes of a TLS client.
    private static func clientHello() throws -> [UInt8] {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw HostilePeer.Failure(description: "socketpair: errno \(errno)")
        }
        defer { for end in ends { close(end) } }
        let client = try TLSTestClient(fd: ends[0], options: TLSTestClient.Options(caPath: nil))
        guard client.stepHandshake() == .wantRead else { throw HostilePeer.Failure(description: "no ClientHello") }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(ends[1], &buffer, buffer.count, 0)
        guard count > 0 else { throw HostilePeer.Failure(description: "no ClientHello") }
        return Array(buffer[..<count])
    }
}
