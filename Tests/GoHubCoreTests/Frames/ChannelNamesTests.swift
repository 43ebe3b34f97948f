import GoHubTestSupport
import Testing

@testable import GoHubCore

struct ChannelNamesTests {
    private let names = ChannelNames()

    private func channel(_ topic: ClusterTopic) -> String { String(decoding: names.channel(of: topic), as: UTF8.self) }

    private func topic(_ channel: String) -> ClusterTopic? { names.topic(of: Array(channel.utf8)) }

    private static func room(_ tenant: String, _ name: String) -> ClusterTopic {
        .room(RoomID(tenant: .named(tenant), name: .named(name)))
    }

    private static func user(_ tenant: String, _ user: String) -> ClusterTopic {
        .user(UserKey(tenant: .named(tenant), user: .named(user)))
    }

    @Test(arguments: [
        (ClusterTopic.all, "gohub.all"),
        (.node(.number(0xABC)), "gohub.n.0000000000000abc"),
        (room("default", "lobby"), "gohub.r.default.lobby"),
        (room("a.b", "c.d_e-f"), "gohub.r.a%2Eb.c%2Ed_e-f"),
        (room("default", "dm:alice:bob"), "gohub.r.default.dm%3Aalice%3Abob"),
        (user("default", "alice@example.com"), "gohub.u.default.alice%40example%2Ecom"),
        (user("default", "Zoë ~"), "gohub.u.default.Zo%C3%AB%20~"),
        (user("default", "%*?[\\]"), "gohub.u.default.%25%2A%3F%5B%5C%5D"),
    ])
    func topicsHaveChannels(_ topic: ClusterTopic, _ text: String) {
        #expect(channel(topic) == text)
        #expect(self.topic(text) == topic)
    }

    @Test(arguments: [
        "", "gohub", "gohub.", "gohub.al", "gohub.all.", "gohub.ALL", "other.all", "gohubx.all",
        "gohub.n.0000000000000000",
        "gohub.n.0000000000000ABC", "gohub.n.abc", "gohub.r.default", "gohub.r.default.", "gohub.r..lobby",
        "gohub.r.default.lobby.x", "gohub.r.default.Lobby", "gohub.r.default.dm%3abob", "gohub.r.default.lobb%79",
        "gohub.u.default.%", "gohub.u.default.%4", "gohub.u.default.%FF", "gohub.u.default.a b", "gohub.u.default.%0A",
        "gohub.x.default.lobby",
    ])
    func otherChannelsHaveNoTopic(_ text: String) {
        #expect(topic(text) == nil)
    }

    @Test func prefixesDoNotOverlap() {
        let staging = ClusterPrefix("gohub:staging").map { ChannelNames(prefix: $0) }
        #expect(staging?.channel(of: .all) == Array("gohub:staging.all".utf8))
        #expect(staging?.topic(of: Array("gohub.all".utf8)) == nil)
        for text in ["", "a.b", "a b", "a*", "é", "a~", String(repeating: "a", count: 65)] {
            #expect(ClusterPrefix(text) == nil, "\(text)")
        }
        #expect(ClusterPrefix(String(repeating: "a", count: 64)) != nil)
        #expect(ClusterPrefix.standard == ClusterPrefix("gohub"))
    }

    @Test func longestNamesFit() {
        let long = UserID.named(String(repeating: "\u{1F600}", count: 32))
        let percent = UserID.named(String(repeating: "%", count: 128))
        let room = RoomID(
            tenant: .named("a" + String(repeating: ".", count: 63)),
            name: .direct(percent, .named(percent.value.dropLast() + ":")))
        let prefix = ClusterPrefix(String(repeating: "p", count: 64)) ?? .standard
        for topic in [ClusterTopic.room(room), .user(UserKey(tenant: room.tenant, user: long))] {
            let channel = ChannelNames(prefix: prefix).channel(of: topic)
            #expect(channel.count <= ChannelNames.bytesMax)
            #expect(ChannelNames(prefix: prefix).topic(of: channel) == topic)
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func channelsBelongToOneTopic(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var topics: [[UInt8]: ClusterTopic] = [:]
        let letters = Array("ab.%-_:~2E é/@".unicodeScalars)
        func text(_ count: Int) -> String {
            var text = ""
            for _ in 0..<count { text.unicodeScalars.append(random.pick(letters) ?? "a") }
            return text
        }
        for _ in 0..<500 {
            guard let tenant = TenantID(text(2)) ?? TenantID("t"), let user = UserID(text(3)) else { continue }
            let room = RoomName(text(2)) ?? .direct(user, UserID(text(2)) ?? user)
            for topic in [
                ClusterTopic.user(UserKey(tenant: tenant, user: user)), .room(RoomID(tenant: tenant, name: room)),
            ] {
                let channel = names.channel(of: topic)
                #expect(channel.allSatisfy { (0x21...0x7E).contains($0) }, "seed \(seed)")
                #expect(names.topic(of: channel) == topic, "seed \(seed)")
                #expect(topics[channel] ?? topic == topic, "seed \(seed)")
                topics[channel] = topic
            }
        }
    }

    /// Whatever is read is what would have been written.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func anyBytesAreReadOrRefused(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let start = names.channel(of: Self.user("a.b", "x:é"))
        for _ in 0..<500 {
            var channel = start
            for _ in 0..<3 {
                let index = Int.random(in: 6..<channel.count, using: &random)
                switch random.next() % 3 {
                case 0: channel[index] = random.pick(Array(".%aA3EnruX".utf8)) ?? 0
                case 1: channel.remove(at: index)
                default: channel[index] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            if let topic = names.topic(of: channel) { #expect(names.channel(of: topic) == channel, "seed \(seed)") }
        }
    }
}
