import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Random bytes, and valid frames with damage. Nothing may crash, and the split into reads must not matter.
@Suite struct HostileInputTests {
    private let limits = WebSocketReader.Limits(messageBytesMax: 200, framesPerMessageMax: 8)

    @Test func randomBytesFailAlikeForAnySplit() async throws {
        let inflater = try Inflater()
        for seed in 0..<50_000 {
            // Lets other tests run.
            if seed % 500 == 0 { await Task.yield() }
            var numbers = SeededRandom(seed: UInt64(seed))
            let bytes = numbers.bytes(Int(numbers.next() % 48))
            check(bytes, &numbers, inflater, seed)
        }
    }

    @Test func nearlyValidFramesParseAlikeForAnySplit() async throws {
        let inflater = try Inflater()
        var errors: Set<UInt16> = []
        var messages = 0
        for seed in 0..<50_000 {
            // Lets other tests run.
            if seed % 500 == 0 { await Task.yield() }
            var numbers = SeededRandom(seed: UInt64(seed) | 1 << 40)
            var bytes: [UInt8] = []
            for _ in 0..<numbers.next() % 4 { bytes += nearlyValidFrame(&numbers) }
            if numbers.next() % 4 == 0, !bytes.isEmpty {
                bytes[Int(numbers.next() % UInt64(bytes.count))] ^= 1 << UInt8(numbers.next() % 8)
            }
            let outcome = check(bytes, &numbers, inflater, seed)
            messages += outcome.received.count
            if let error = outcome.error { errors.insert(error.rawValue) }
        }
        // Checks that the inputs reach the code that they are meant for.
        #expect(messages > 10_000)
        #expect(errors == [1002, 1007, 1009])
    }

    @discardableResult
    private func check(
        _ bytes: [UInt8], _ numbers: inout SeededRandom, _ inflater: Inflater, _ seed: Int
    ) -> Outcome {
        let inflater = numbers.next() % 2 == 0 ? inflater : nil
        var whole = WebSocketReader(limits: limits, inflater: inflater)
        var parts = WebSocketReader(limits: limits, inflater: inflater)
        let expected = whole.outcome(of: [bytes])
        let outcome = parts.outcome(of: numbers.split(bytes, partBytesMax: 9))
        if outcome != expected { Issue.record("seed \(seed): \(expected) whole, \(outcome) in parts") }
        return expected
    }

    private func nearlyValidFrame(_ numbers: inout SeededRandom) -> [UInt8] {
        let opcodes: [UInt8] = [0, 0, 1, 1, 1, 2, 2, 8, 9, 10, 5]
        let opcode = opcodes[Int(numbers.next() % UInt64(opcodes.count))]
        var payload = numbers.bytes(Int(numbers.next() % (opcode >= 8 ? 8 : 160)))
        if opcode <= 1, numbers.next() % 4 != 0 { payload = payload.map { $0 & 0x7F } }
        return ClientFrames.frame(
            opcode, payload, isFinal: opcode >= 8 || numbers.next() % 2 == 0,
            reserved: numbers.next() % 8 == 0 ? 4 : 0, isMasked: numbers.next() % 64 != 0, key: numbers.bytes(4))
    }

    @Test func randomHeadsFailAlikeForAnySplit() {
        let pieces = [
            "GET / HTTP/1.1\r\n", "POST /a?b HTTP/1.1\r\n", "Host: a\r\n", "Host:b\r\n", "\r\n", "\n", "\r", " ", ":",
            "Upgrade: websocket\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "\u{0}", "\u{E9}",
            "a: ",
            "Connection: upgrade\r\n", "HTTP/1.0", "X", "http://a/",
        ].map { Array($0.utf8) }
        var complete = 0
        for seed in 0..<20_000 {
            var numbers = SeededRandom(seed: UInt64(seed) | 1 << 41)
            var bytes = numbers.next() % 2 == 0 ? pieces[0] + pieces[2] : []
            for _ in 0..<numbers.next() % 8 { bytes += pieces[Int(numbers.next() % UInt64(pieces.count))] }
            let whole = RequestHeadTests.parse([bytes])
            let cut = RequestHeadTests.parse(numbers.split(bytes, partBytesMax: 5))
            if whole != cut { Issue.record("seed \(seed): \(whole) whole, \(cut) in parts") }
            if case .complete(let head, _) = whole {
                complete += 1
                _ = try? UpgradeRequest(head)
            }
        }
        #expect(complete > 500)
    }
}
