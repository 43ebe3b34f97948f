import GoHubTestSupport
import Testing

@testable import GoHubWire

/// RFC 9112, section 7.1, parsed as strictly as heads, because these bytes go on to another server.
@Suite struct ChunkedBodyTests {
    enum Outcome: Equatable {
        case needsMore
        case complete(Int)
        case refused
    }

    private func read(_ parts: [[UInt8]]) -> Outcome {
        var body = ChunkedBody()
        var total = 0
        for part in parts {
            do throws(UpgradeRejection) {
                total += try part.withUnsafeBytes { bytes in
                    Result { () throws(UpgradeRejection) in try body.take(bytes) }
                }.get()
            } catch {
                return .refused
            }
            if body.isComplete { return .complete(total) }
        }
        return .needsMore
    }

    private func readInAllWays(_ text: String) -> Outcome {
        let bytes = Array(text.utf8)
        let whole = read([bytes])
        #expect(read(bytes.map { [$0] }) == whole)
        for seed in 0..<5 as Range<UInt64> {
            var numbers = SeededRandom(seed: seed)
            #expect(read(numbers.split(bytes, partBytesMax: 7)) == whole, "split with seed \(seed)")
        }
        return whole
    }

    static let rightOnes = [
        "0\r\n\r\n", "000\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "a;name=value\r\n0123456789\r\n0;last\r\n\r\n", "0\r\nX: y\r\n\r\n", "0\r\nX:\r\nY: a:b\r\n\r\n",
        "2\r\n\r\n\r\n0\r\n\r\n",
    ]

    @Test(arguments: rightOnes) func right(_ text: String) {
        #expect(readInAllWays(text) == .complete(text.utf8.count))
        // The following bytes don't belong to the body.
        #expect(readInAllWays(text + "GET / HTTP/1.1\r\n") == .complete(text.utf8.count))
        #expect(readInAllWays(String(text.dropLast(1))) == .needsMore)
    }

    static let wrongOnes = [
        "5 \r\nhello\r\n0\r\n\r\n", "5\t\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n", "5\nhello\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n", "5\r\nhello!\r\n", "\r\n", ";a\r\n", "0x5\r\nhello\r\n", "+5\r\nhello\r\n", "-5\r\n",
        "g\r\n",
        "1000000000000000\r\n", "5;a\nhello\r\n", "5;a\u{0}\r\nhello\r\n", "5\r\rhello", "0\r\n X: y\r\n\r\n",
        "0\r\nX : y\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\nX: \u{1}\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\n\n", "0\r\n\r\r",
        "5;" + String(repeating: "a", count: ChunkedBody.lineBytesMax) + "\r\nhello\r\n0\r\n\r\n",
        "0\r\nX: " + String(repeating: "a", count: ChunkedBody.trailerBytesMax) + "\r\n\r\n",
    ]

    @Test(arguments: wrongOnes) func wrong(_ text: String) {
        #expect(readInAllWays(text) == .refused)
    }

    @Test func nothingTraps() {
        for seed in 0..<2_000 as Range<UInt64> {
            var numbers = SeededRandom(seed: seed)
            let alphabet = Array("0159aF;:x\r\n\r\n \t".utf8)
            let bytes = (0..<200).map { _ in alphabet[Int(numbers.next() % UInt64(alphabet.count))] }
            #expect(read([bytes]) == read(bytes.map { [$0] }), "seed \(seed)")
        }
    }
}
