import GoHubWire
import Testing

/// RFC 6455, section 10.2; RFC 6454.
@Suite struct OriginPolicyTests {
    @Test(
        arguments: [
            ("https://chat.example.com", "chat.example.com", true, true),
            ("https://chat.example.com:443", "chat.example.com", true, true),
            ("https://chat.example.com", "chat.example.com:443", true, true),
            ("HTTPS://Chat.Example.Com", "chat.example.com", true, true),
            ("http://localhost:8080", "localhost:8080", false, true),
            ("http://[::1]:8080", "[::1]:8080", false, true),
            ("http://[0:0::1]:8080", "[::1]:8080", false, true), ("http://127.0.0.1", "127.0.0.1:80", false, true),
            ("http://127.000.000.001", "127.000.000.001", false, false), ("http://127.1", "127.0.0.1", false, false),
            ("http://0x7f000001", "0x7f000001", false, false),
            ("http://chat.example.com", "chat.example.com", true, false),
            ("https://chat.example.com", "chat.example.com", false, false),
            ("https://chat.example.com:8443", "chat.example.com", true, false),
            ("http://chat.example.com:443", "chat.example.com:443", true, false),
            ("https://evil.com", "chat.example.com", true, false),
            ("https://chat.example.com.evil.com", "chat.example.com", true, false),
            ("https://chat.example.com@evil.com", "chat.example.com", true, false),
            ("null", "null", false, false), ("", "", false, false),
            ("chat.example.com", "chat.example.com", false, false),
            ("https://chat.example.com/", "chat.example.com", true, false),
            ("https://a https://chat.example.com", "chat.example.com", true, false),
        ] as [(String, String, Bool, Bool)])
    func sameOrigin(_ origin: String, _ host: String, _ isTLS: Bool, _ expected: Bool) throws {
        #expect(OriginPolicy.sameOrigin.allows(origin: origin, host: host, isTLS: isTLS) == expected)
        #expect(try OriginPolicy(patterns: []).allows(origin: origin, host: host, isTLS: isTLS) == expected)
        #expect(
            try OriginPolicy(patterns: ["https://x", "same-origin"]).allows(origin: origin, host: host, isTLS: isTLS)
                == expected)
    }

    @Test(
        arguments: [
            ("https://chat.example.com", "https://chat.example.com", true),
            ("https://chat.example.com", "https://CHAT.example.com:443", true),
            ("https://chat.example.com", "http://chat.example.com", false),
            ("https://chat.example.com", "https://chat.example.com:444", false),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://.example.com", false),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://*.example.com", "https://a.example.com.evil.com", false),
            ("https://*.example.com", "https://a.example.com:444", false),
            ("https://*.example.com:444", "https://a.example.com:444", true),
            ("https://*.example.com:*", "https://a.example.com:444", true),
            ("http://localhost:*", "http://localhost:5173", true), ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "https://localhost", false),
            ("http://localhost:*", "http://localhost.evil.com", false),
            ("https://*", "https://anything.com", true), ("https://*", "https://anything.com:444", false),
            ("https://*:*", "https://anything.com:444", true), ("https://*", "http://anything.com", false),
            ("*", "https://anything.com", true), ("*", "null", true), ("*", "what is this", true),
            ("null", "null", true),
            ("null", "https://null", false), ("capacitor://localhost", "capacitor://localhost", true),
            ("capacitor://localhost", "http://localhost", false),
        ] as [(String, String, Bool)])
    func patterns(_ pattern: String, _ origin: String, _ expected: Bool) throws {
        let policy = try OriginPolicy(patterns: ["https://first.example", pattern])
        #expect(policy.allows(origin: origin, host: "hub.internal", isTLS: true) == expected)
    }

    /// DNS rebinding: a foreign name that leads here makes Origin and Host agree.
    @Test func listWithoutSameOriginRefusesDNSRebinding() throws {
        let policy = try OriginPolicy(patterns: ["https://chat.example.com"])
        #expect(!policy.allows(origin: "http://evil.com", host: "evil.com", isTLS: false))
    }

    @Test func missingOriginIsAllowed() throws {
        #expect(OriginPolicy.sameOrigin.allows(origin: nil, host: "a", isTLS: false))
        #expect(try OriginPolicy(patterns: ["https://x"]).allows(origin: nil, host: "a", isTLS: false))
    }

    @Test(arguments: [
        "", "chat.example.com", "https://", "https://a/", "https://a/b", "https://a:b", "https://a:65536",
        "https://a*b.com",
        "https://a.*.com", "https://*example.com", "https://*.*.com", "https://*.", "*.example.com", "https:/a", "://a",
        "https://a b", "https://u@a", "*://a", "https://**", "same origin",
    ])
    func patternsThatAreNone(_ pattern: String) {
        #expect(throws: OriginPolicy.PatternError(pattern: pattern)) {
            try OriginPolicy(patterns: [pattern])
        }
    }
}
