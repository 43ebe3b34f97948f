import GoHubTestSupport
import Testing

@testable import GoHubRedis

/// Replies of a server, in any parts.
struct RESPReaderTests {
    private func read(_ text: String, limits: RESPLimits = RESPLimits()) -> ReadReplies {
        ReadReplies(parts: [Array(text.utf8)], limits: limits)
    }

    // MARK: Values

    @Test(arguments: [
        ("+OK\r\n", RESPValue.simple(Array("OK".utf8))),
        ("+\r\n", .simple([])),
        ("-ERR no\r\n", .error(Array("ERR no".utf8))),
        (":0\r\n", .integer(0)),
        (":-12\r\n", .integer(-12)),
        (":+12\r\n", .integer(12)),
        (":9223372036854775807\r\n", .integer(.max)),
        (":-9223372036854775808\r\n", .integer(.min)),
        ("$0\r\n\r\n", .bulk([])),
        ("$4\r\n\r\n\r\n\r\n", .bulk(Array("\r\n\r\n".utf8))),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("*0\r\n", .array([])),
        ("*2\r\n*0\r\n*1\r\n:7\r\n", .array([.array([]), .array([.integer(7)])])),
    ])
    func valuesAreRead(_ text: String, _ value: RESPValue) {
        #expect(read(text) == ReadReplies([value]))
    }

    @Test func repliesFollowEachOther() {
        #expect(read(":1\r\n+A\r\n:2\r\n$1\r\n") == ReadReplies([.integer(1), .simple([65]), .integer(2)]))
    }

    @Test func tokensKeepTheirPlaces() throws {
        var reader = RESPReader()
        reader.append(Array("+OK\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n:1\r\n".utf8))
        #expect(try reader.next())
        #expect(try reader.next())
        guard case .array(3) = reader.tokens[0], case .bulk(let kind) = reader.tokens[1],
            case .bulk(let payload) = reader.tokens[3]
        else {
            Issue.record("the reply has other tokens: \(reader.tokens)")
            return
        }
        #expect(reader.equals(kind, "message"))
        #expect(!reader.equals(kind, "messagf"))
        #expect(!reader.equals(kind, "pmessage"))
        #expect(reader.bytes(payload) == Array("hi".utf8))
        // What arrives meanwhile changes nothing of the reply.
        reader.append(Array(repeating: UInt8(ascii: "x"), count: 200_000))
        #expect(reader.bytes(payload) == Array("hi".utf8))
        #expect(try reader.next())
        #expect(reader.value == .integer(1))
    }

    // MARK: Malformed bytes and limits

    @Test(arguments: [
        ("!", RESPError.unknownType(UInt8(ascii: "!"))),
        ("PING\r\n", .unknownType(UInt8(ascii: "P"))),
        ("%1\r\n", .unknownType(UInt8(ascii: "%"))),
        ("\r\n", .unknownType(13)),
        ("+a\rb", .malformedLine),
        ("+a\nb\r\n", .malformedLine),
        (":\r\n", .malformedNumber),
        (":-\r\n", .malformedNumber),
        (":1a\r\n", .malformedNumber),
        (":--1\r\n", .malformedNumber),
        (":9223372036854775808\r\n", .malformedNumber),
        (":-9223372036854775809\r\n", .malformedNumber),
        (":99999999999999999999\r\n", .malformedNumber),
        (":0000000000000000000000\r\n", .lineTooLong),
        ("$-2\r\n", .malformedNumber),
        ("$+1\r\n", .malformedNumber),
        ("$ 1\r\n", .malformedNumber),
        ("$1\r\nab\r\n", .malformedBulk),
        ("$2\r\na\r\n:", .malformedBulk),
        ("*1\r\n$1000000000000\r\n", .bulkTooLong),
        ("$18446744073709551615\r\n", .bulkTooLong),
        ("*18446744073709551615\r\n", .tooManyValues),
        ("*4096\r\n", .tooManyValues),
        ("*2\r\n*4095\r\n", .tooManyValues),
        ("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", .tooDeep),
    ])
    func malformedRepliesAreErrors(_ text: String, _ error: RESPError) {
        #expect(read(":1\r\n" + text) == ReadReplies([.integer(1)], error))
    }

    @Test func limitsAreInclusive() {
        var limits = RESPLimits()
        limits.lineBytesMax = 64
        limits.bulkBytesMax = 100
        limits.replyBytesMax = 2000
        limits.valuesMax = 64
        let line = String(repeating: "a", count: 64)
        #expect(read("+\(line)\r\n", limits: limits).error == nil)
        #expect(read("+\(line)", limits: limits) == ReadReplies([]))
        #expect(read("+\(line)a", limits: limits) == ReadReplies([], .lineTooLong))
        #expect(read("$100\r\n", limits: limits) == ReadReplies([]))
        #expect(read("$101\r\n", limits: limits) == ReadReplies([], .bulkTooLong))
        #expect(read("*63\r\n", limits: limits) == ReadReplies([]))
        #expect(read("*64\r\n", limits: limits) == ReadReplies([], .tooManyValues))
        let bulk = "$100\r\n\(String(repeating: "b", count: 100))\r\n"
        // 108 bytes each: the nineteenth would end behind the two thousandth byte.
        let bulks = String(repeating: bulk, count: 18)
        #expect(read("*30\r\n\(bulks)$100\r\n", limits: limits) == ReadReplies([], .replyTooLong))
    }

    @Test func standardLimitsAreConsistent() {
        #expect(RESPLimits().contradictions().isEmpty)
        var limits = RESPLimits()
        limits.depthMax = 1
        limits.bulkBytesMax = limits.replyBytesMax
        #expect(limits.contradictions().count == 2)
    }

    // MARK: Parts

    @Test func longRepliesArriveInSmallParts() {
        let bulk = noise(300_000)
        let line = Array(repeating: UInt8(ascii: "e"), count: 4096)
        let stream = Array("*2\r\n$300000\r\n".utf8) + bulk + Array("\r\n-".utf8) + line + Array("\r\n:5\r\n".utf8)
        let expected = ReadReplies([.array([.bulk(bulk), .error(line)]), .integer(5)])
        #expect(ReadReplies(parts: stream.map { [$0] }) == expected)
        #expect(ReadReplies(parts: [stream]) == expected)
    }

    @Test func bytesOfALineAreLookedAtOnce() throws {
        var parser = RESPParser(limits: RESPLimits())
        let line = Array("+\(String(repeating: "a", count: 1000))\r\n:1\r\n".utf8)
        for count in 2..<1002 {
            let isComplete = try line.withUnsafeBytes {
                try parser.parse(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
            #expect(!isComplete && parser.scanned == count)
        }
        #expect(try line.withUnsafeBytes { try parser.parse($0) })
        #expect(parser.position == 1003)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func partsMakeNoDifference(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var stream: [UInt8] = []
        var values: [RESPValue] = []
        for _ in 0..<30 {
            let value = RESPValue.random(using: &random, depth: 0)
            values.append(value)
            stream += value.encoded
        }
        let whole = ReadReplies(parts: [stream])
        #expect(whole == ReadReplies(values), "seed \(seed)")
        for partBytesMax in [1, 2, 7, 100, 5000] {
            #expect(ReadReplies(parts: random.split(stream, partBytesMax: partBytesMax)) == whole, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func damagedRepliesEndAlikeHoweverTheyArrive(_ seed: UInt64) {
        var random = SeededRandom(seed: 1000 + seed)
        var limits = RESPLimits()
        limits.bulkBytesMax = 200
        limits.replyBytesMax = 2000
        limits.valuesMax = 64
        limits.lineBytesMax = 64
        limits.bufferBytes = 1024
        for _ in 0..<50 {
            var stream: [UInt8] = []
            for _ in 0..<5 { stream += RESPValue.random(using: &random, depth: 0).encoded }
            for _ in 0..<Int.random(in: 0...3, using: &random) where !stream.isEmpty {
                let index = Int.random(in: stream.indices, using: &random)
                switch random.next() % 4 {
                case 0: stream[index] = UInt8(truncatingIfNeeded: random.next())
                case 1: stream.remove(at: index)
                case 2: stream.insert(random.pick(Array("+-:$*\r\n0129".utf8)) ?? 0, at: index)
                default: stream.replaceSubrange(index..., with: stream[index...].reversed())
                }
            }
            let whole = ReadReplies(parts: [stream], limits: limits)
            #expect(ReadReplies(parts: random.split(stream, partBytesMax: 5), limits: limits) == whole, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func noiseNeverTraps(_ seed: UInt64) {
        var random = SeededRandom(seed: 2000 + seed)
        let alphabet = Array("+-:$*\r\n\r\n0123456789".utf8)
        for _ in 0..<200 {
            let count = Int.random(in: 0...60, using: &random)
            let isText = random.once(in: 2)
            let stream = isText ? (0..<count).map { _ in random.pick(alphabet) ?? 0 } : random.bytes(count)
            #expect(ReadReplies(parts: [stream]) == ReadReplies(parts: stream.map { [$0] }), "seed \(seed): \(stream)")
        }
    }
}

/// Everything that a reader makes of a stream.
private struct ReadReplies: Equatable {
    var values: [RESPValue]
    var error: RESPError?

    init(_ values: [RESPValue], _ error: RESPError? = nil) {
        self.values = values
        self.error = error
    }

    init(parts: [[UInt8]], limits: RESPLimits = RESPLimits()) {
        self.init([])
        var reader = RESPReader(limits: limits)
        for part in parts {
            reader.append(part)
            do throws(RESPError) {
                while try reader.next() { values.append(reader.value) }
            } catch {
                self.error = error
                return
            }
        }
    }
}

extension RESPValue {
    /// A value of any kind, with few large ones.
    static func random(using random: inout SeededRandom, depth: Int) -> RESPValue {
        func line() -> [UInt8] {
            random.bytes(Int.random(in: 0...20, using: &random)).map { UInt8(ascii: " ") + $0 % 90 }
        }
        switch random.next() % (depth < 3 ? 8 : 6) {
        case 0: return .simple(line())
        case 1: return .error(line())
        case 2: return .integer(Int64(bitPattern: random.next()) >> Int64(random.next() % 64))
        case 3: return .null
        case 4, 5: return .bulk(random.bytes(random.once(in: 20) ? 3000 : Int.random(in: 0...30, using: &random)))
        default:
            let count = Int.random(in: 0...4, using: &random)
            return .array((0..<count).map { _ in .random(using: &random, depth: depth + 1) })
        }
    }

    var encoded: [UInt8] {
        func line(_ type: String, _ rest: some Sequence<UInt8>) -> [UInt8] { Array(type.utf8) + rest + [13, 10] }
        switch self {
        case .simple(let bytes): return line("+", bytes)
        case .error(let bytes): return line("-", bytes)
        case .integer(let number): return line(":", "\(number)".utf8)
        case .bulk(let bytes): return line("$", "\(bytes.count)".utf8) + bytes + [13, 10]
        case .array(let elements): return line("*", "\(elements.count)".utf8) + elements.flatMap(\.encoded)
        case .null: return Array("$-1\r\n".utf8)
        }
    }
}
