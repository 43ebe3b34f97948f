import GoHubWire
import Testing

struct LoopbackHostTests {
    @Test(arguments: [
        "localhost", "LocalHost", "localhost:8080", "127.0.0.1", "127.0.0.1:80", "127.255.8.9:1", "[::1]", "[::1]:8080",
        "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
    ])
    func isThisMachine(authority: String) {
        #expect(LoopbackHost.isMeant(byAuthority: authority))
    }

    @Test(arguments: [
        "", ":80", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example",
        "127.0.0", "127.0.0.256", "128.0.0.1", "0.0.0.0", "[::2]", "[::1", "[::1]evil.example", "[::]:80",
        "192.0.2.1:127", "127.000.000.001", "127.0.0.01:80", "127.1", "0x7f.1", "2130706433", "127.0.0.1.",
        "[127.0.0.1]", "::1",
    ])
    func isAnother(authority: String) {
        #expect(!LoopbackHost.isMeant(byAuthority: authority))
    }
}
