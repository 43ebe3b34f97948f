import GoHubTestSupport
import Testing

@testable import GoHubRedis

struct RESPWriterTests {
    @Test func commandsAreArraysOfBulkStrings() {
        var writer = RESPWriter()
        writer.command("PING")
        writer.command(3)
        writer.bulk("PUBLISH" as StaticString)
        writer.bulk(Array("c".utf8))
        noise(10).withUnsafeBytes { writer.bulk($0) }
        writer.command("A", "", "é")
        let expected =
            Array("*1\r\n$4\r\nPING\r\n*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$10\r\n".utf8) + noise(10)
            + Array("\r\n*3\r\n$1\r\nA\r\n$0\r\n\r\n$2\r\né\r\n".utf8)
        #expect(writer.pending == expected)
        #expect(writer.count == expected.count)
    }

    @Test(arguments: [0, 1, 9, 10, 99, 100, 1_000_000])
    func lengthsAreDecimal(_ count: Int) {
        var writer = RESPWriter()
        writer.bulk([UInt8](repeating: 1, count: count))
        #expect(writer.pending.starts(with: Array("$\(count)\r\n".utf8)))
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func sentBytesAreForgottenInOrder(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var writer = RESPWriter()
        var written: [UInt8] = []
        var sent: [UInt8] = []
        for _ in 0..<200 {
            let bytes = random.bytes(Int.random(in: 0...20_000, using: &random))
            writer.bulk(bytes)
            written += Array("$\(bytes.count)\r\n".utf8) + bytes + [13, 10]
            let count = random.once(in: 10) ? writer.count : Int(random.next() % UInt64(min(writer.count, 15_000) + 1))
            sent += writer.pending.prefix(count)
            writer.removeFirst(count)
        }
        #expect(sent + writer.pending == written, "seed \(seed)")
        writer.removeFirst(writer.count)
        #expect(writer.isEmpty && writer.pending.isEmpty)
    }

    @Test func noDescriptionHasThePassword() {
        var writer = RESPWriter()
        writer.command("AUTH", "hunter2")
        var text = "\(writer)"
        dump(writer, to: &text)
        debugPrint(writer, to: &text)
        #expect(!text.contains("hunter2") && !text.contains("104"))
    }
}

extension RESPWriter {
    var pending: [UInt8] { withBytes { Array($0) } }
}
