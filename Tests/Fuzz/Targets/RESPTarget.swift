@testable import GoHubRedis

extension FuzzTarget {
    /// The replies of a server to Redis' protocol. The first byte chooses how the rest is split, the second the limits.
    static let resp = FuzzTarget("resp", bytesMax: 8192) { bytes in
        var input = FuzzInput(bytes)
        let cut = input.byte()
        let limits = input.choose([RESPLimits(), small, tiny])
        let stream = Array(input.rest)
        let whole = ReadReplies([stream], limits)
        try requireEqual(
            whole, ReadReplies(stream.parts(cut: cut), limits), "replies are read alike however they are cut")
        // Written again in the only form that we know, they are the same.
        let again = ReadReplies([whole.values.flatMap(\.encoded)], limits)
        try requireEqual(again.values, whole.values, "what was read can be written and read")
        for value in whole.values {
            try require(
                value.count <= limits.valuesMax && value.depth <= limits.depthMax, "a reply is within its bounds")
        }
        try require(
            whole.buffered <= limits.replyBytesMax + limits.bufferBytes || whole.error != nil,
            "no more is kept than one reply")
    }

    private static let small: RESPLimits = {
        var limits = RESPLimits()
        (limits.lineBytesMax, limits.bulkBytesMax, limits.replyBytesMax) = (64, 300, 5000)
        (limits.valuesMax, limits.depthMax, limits.bufferBytes) = (64, 3, 1024)
        return limits
    }()

    private static let tiny: RESPLimits = {
        var limits = small
        (limits.lineBytesMax, limits.bulkBytesMax, limits.replyBytesMax, limits.valuesMax) = (8, 10, 60, 8)
        return limits
    }()
}

/// Everything that a reader makes of a stream.
private struct ReadReplies: Equatable {
    var values: [RESPValue] = []
    var error: RESPError?
    var buffered = 0

    init(_ parts: [[UInt8]], _ limits: RESPLimits) {
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
        buffered = reader.bufferedBytes
    }

    static func == (left: ReadReplies, right: ReadReplies) -> Bool {
        left.values == right.values && left.error == right.error
    }
}

extension RESPValue {
    var count: Int { 1 + (elements ?? []).reduce(0) { $0 + $1.count } }
    /// Of arrays with elements.
    var depth: Int {
        guard let elements, !elements.isEmpty else { return 0 }
        return 1 + (elements.map(\.depth).max() ?? 0)
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
