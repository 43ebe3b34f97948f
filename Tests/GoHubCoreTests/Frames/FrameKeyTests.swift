import Testing

@testable import GoHubCore

struct FrameKeyTests {
    /// RFC 4231, test case 6.
    @Test func macIsTheBeginningOfHMAC() throws {
        let key = try #require(FrameKey(repeatElement(0xAA, count: 131)))
        let text = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        let expected = try #require(
            FrameMAC([
                0x60, 0xE4, 0x31, 0x59, 0x1E, 0xE0, 0xB6, 0x7F, 0x0D, 0x8A, 0x26, 0xAA, 0xCB, 0xF5, 0xB7, 0x7F,
            ]))
        for cut in [0, 1, 20, text.count] {
            let mac = text[..<cut].withUnsafeBytes { first in
                text[cut...].withUnsafeBytes { second in key.authenticator(first, second) }
            }
            #expect(mac.matches(expected))
        }
    }

    @Test func shortKeysAreRefusedAndNoneIsPrinted() throws {
        #expect(FrameKey(repeatElement(1, count: 31)) == nil)
        let key = try #require(FrameKey("0123456789abcdef0123456789abcdef".utf8))
        var dumped = ""
        dump(key, to: &dumped)
        #expect(!"\(key)\(dumped)".contains("0123"))
    }

    @Test func frameOfAnotherKeyIsRefused() throws {
        let keys = try [1, 2, 3].map { try #require(FrameKey(repeatElement($0, count: 32))).authenticator }
        let names = ChannelNames()
        var codec = FrameCodec(names: names, authenticators: [keys[0]])
        let frame = ClusterFrame(from: .a, time: HybridTime(value: 1), topic: .all, .bye)
        let bytes = try codec.encode(frame, for: names.channel(of: .all))
        func decoded(_ authenticators: [FrameAuthenticator]) throws -> ClusterFrame {
            try bytes.withUnsafeBytes {
                try FrameCodec(names: names, authenticators: authenticators).decode($0, on: .all)
            }
        }
        #expect(try decoded([keys[0]]) == frame)
        #expect(try decoded([keys[1], keys[0]]) == frame)
        #expect(throws: FrameError.unauthenticated) { try decoded([keys[1], keys[2]]) }
    }
}
