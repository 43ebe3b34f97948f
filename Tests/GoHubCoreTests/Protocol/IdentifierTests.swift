import GoHubTestSupport
import Testing

@testable import GoHubCore

struct IdentifierTests {
    @Test(arguments: ["a", "0", "default", "a.b_c-d", String(repeating: "x", count: 64)])
    func tenants(_ value: String) {
        #expect(TenantID(value)?.value == value)
    }

    @Test(arguments: ["", "A", ".a", "-a", "_a", "a b", "a/b", "ä", "a\n", String(repeating: "x", count: 65)])
    func noTenants(_ value: String) {
        #expect(TenantID(value) == nil)
    }

    @Test(arguments: ["a", "A B", "user@example.org", "ünï 😀", "a:b%", "\u{301}", "\u{200D}", "\u{FEFF}"])
    func printableNames(_ value: String) {
        #expect(UserID(value)?.value == value)
        #expect(DeviceID(value)?.value == value)
        #expect(CommandID(value)?.value == value)
    }

    @Test(arguments: [
        "", "\u{0}", "a\nb", "a\u{7F}", "\u{85}", "\u{9F}", "\u{200E}a", "\u{200F}", "\u{2028}", "\u{2029}", "\u{202E}",
        "\u{2066}", "\u{2069}",
    ])
    func unprintableNames(_ value: String) {
        #expect(UserID(value) == nil)
        #expect(DeviceID(value) == nil)
        #expect(CommandID(value) == nil)
    }

    @Test func lengthsAreInBytes() {
        #expect(UserID(String(repeating: "é", count: 64)) != nil)
        #expect(UserID(String(repeating: "é", count: 64) + "x") == nil)
        #expect(DeviceID(String(repeating: "é", count: 32)) != nil)
        #expect(DeviceID(String(repeating: "é", count: 32) + "x") == nil)
        #expect(CommandID(String(repeating: "é", count: 32)) != nil)
        #expect(CommandID(String(repeating: "é", count: 32) + "x") == nil)
    }

    /// Pairs that `String` considers equal. For an identity provider they are two users: if the hub treated them as
    /// one, either could take over the other's sessions.
    @Test(arguments: [("\u{E9}", "e\u{301}"), ("K", "\u{212A}"), ("a\u{323}\u{307}", "a\u{307}\u{323}")])
    func canonicallyEquivalentNamesDiffer(_ one: String, _ other: String) {
        #expect(one == other)
        #expect(UserID.named(one) != UserID.named(other))
        #expect(DeviceID.named(one) != DeviceID.named(other))
        #expect(CommandID.named(one) != CommandID.named(other))
        #expect(RoomName.direct(.named(one), .bob) != RoomName.direct(.named(other), .bob))
        #expect(Set([UserID.named(one), UserID.named(other)]).count == 2)
        #expect((UserID.named(one) < UserID.named(other)) != (UserID.named(other) < UserID.named(one)))
    }

    @Test func equalNamesAreEqual() {
        for value in ["a", "a longer name than fits into a word", "é 😀"] {
            // Built separately, so that they share no storage.
            let copy = String(decoding: Array(value.utf8), as: UTF8.self)
            #expect(UserID.named(value) == UserID.named(copy))
            #expect(Set([UserID.named(value), UserID.named(copy)]).count == 1)
        }
    }

    @Test func usersAreOrderedByBytes() {
        let users = ["Z", "a", "a b", "b", "é", "z", "😀"].shuffled().map { UserID.named($0) }
        #expect(users.sorted().map(\.value) == ["Z", "a", "a b", "b", "z", "é", "😀"])
    }

    @Test func sessionDescriptionHasEdgeAndSerial() {
        #expect(SessionID.number(7, edge: 2).description == "2-7")
    }
}

struct RoomNameTests {
    @Test(arguments: ["a", "0", "lobby", "a.b_c-d", "dm", "dm.a", String(repeating: "x", count: 64)])
    func plain(_ value: String) {
        let room = RoomName(value)
        #expect(room?.value == value)
        #expect(room?.isDirect == false)
        #expect(room?.participants == nil)
    }

    @Test(arguments: [
        "", "A", "-a", "a b", "a:b", "dm:", "dm:a", "dm:a:", "dm::a", "dm:a:b:c", "dm:b:a", "DM:a:b", "dm:a:%",
        "dm:a:%2",
        "dm:a:%2f", "dm:a:b%3a", "dm:a:b%41", "dm:a:b\n", "é", String(repeating: "x", count: 65),
    ])
    func refuses(_ value: String) {
        #expect(RoomName(value) == nil)
    }

    @Test(arguments: [
        ("alice", "bob", "dm:alice:bob"), ("bob", "alice", "dm:alice:bob"), ("a", "a", "dm:a:a"),
        ("a:b", "c%", "dm:a%3Ab:c%25"), ("%3A", ":", "dm:%253A:%3A"), ("é", "z", "dm:z:é"),
        ("\u{301}x", "\u{301}y", "dm:\u{301}x:\u{301}y"), ("A b", "\u{200D}", "dm:A b:\u{200D}"),
    ])
    func direct(_ one: String, _ other: String, _ value: String) throws {
        let room = RoomName.direct(.named(one), .named(other))
        #expect(room.value == value)
        #expect(room.isDirect)
        let participants = try #require(room.participants)
        #expect(Set([participants.0, participants.1]) == Set([UserID.named(one), UserID.named(other)]))
        #expect(participants.0 <= participants.1)
        #expect(RoomName(value) == room)
    }

    /// A name belongs to one pair, and every pair's name can be parsed, for any user ids.
    @Test func directNamesAreOneToOne() throws {
        let alphabet: [Character] = ["a", ":", "%", "2", "5", "3", "A", "\u{301}", "é", " "]
        var random = SeededRandom(seed: 3)
        var pairs: [RoomName: Set<UserID>] = [:]
        func user() -> UserID {
            .named(
                String(
                    (0...Int.random(in: 0..<4, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a"
                    }))
        }
        for _ in 0..<5000 {
            let (one, other) = (user(), user())
            let room = RoomName.direct(one, other)
            #expect(pairs.updateValue([one, other], forKey: room) ?? [one, other] == [one, other])
            #expect(RoomName(room.value) == room)
            #expect(RoomName.direct(other, one) == room)
        }
    }
}

struct CloseCodeTests {
    private static let own: [CloseCode] = [
        .normal, .goingAway, .protocolError, .unsupportedData, .invalidPayload, .messageTooBig, .internalError,
        .serviceRestart, .tryAgainLater, .heartbeatTimeout, .slowConsumer, .resyncNeeded, .tokenExpired, .flooding,
        .moved,
        .replaced, .invalidToken, .tooManyViolations, .forbidden, .removed, .connectionLimit,
    ]

    @Test(arguments: own)
    func canBeWritten(_ code: CloseCode) {
        #expect(code.isValidOnTheWire)
        #expect((1...123).contains(code.reason.utf8.count))
    }

    @Test func rangeOfCodeDecidesReconnect() {
        for raw in UInt16(4000)...4499 { #expect(CloseCode(rawValue: raw).shouldReconnect) }
        for raw in UInt16(4500)...4999 { #expect(!CloseCode(rawValue: raw).shouldReconnect) }
        for code in [CloseCode.goingAway, .abnormal, .internalError, .serviceRestart, .tryAgainLater] {
            #expect(code.shouldReconnect)
        }
        for code in [CloseCode.normal, .protocolError, .unsupportedData, .invalidPayload, .messageTooBig] {
            #expect(!code.shouldReconnect)
        }
    }

    /// RFC 6455, section 7.4.
    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] as [UInt16])
    func forbiddenCodesAreInvalidOnTheWire(_ raw: UInt16) {
        #expect(!CloseCode(rawValue: raw).isValidOnTheWire)
    }
}

struct TimeTests {
    @Test func sinceRoundsUpAndStopsAtZero() {
        func at(_ nanoseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: nanoseconds) }
        #expect(at(5).since(at(5)) == 0)
        #expect(at(4).since(at(5)) == 0)
        #expect(at(6).since(at(5)) == 1)
        #expect(at(1_000_005).since(at(5)) == 1)
        #expect(at(1_000_006).since(at(5)) == 2)
        #expect(at(.max).since(at(0)) == Milliseconds(UInt64.max / 1_000_000 + 1))
    }

    @Test func additionStopsAtTheEnd() {
        let last = MonotonicTime(nanoseconds: .max)
        #expect(MonotonicTime.ms(5) + 7 == .ms(12))
        #expect(last + 1 == last)
        #expect(MonotonicTime.ms(0) + Milliseconds(.max) == last)
        #expect(last + 0 == last)
    }

    @Test func systemClocksAdvance() {
        #expect(MonotonicTime.now() <= MonotonicTime.now())
        #expect(WallTime.now() > WallTime(milliseconds: 1_700_000_000_000))
    }
}
