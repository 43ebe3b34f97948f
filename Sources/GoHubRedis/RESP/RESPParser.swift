/// Finds the values of one reply in bytes that arrive in arbitrary parts (RESP2).
///
/// The parser keeps no bytes. It is given everything that has arrived since the reply's first byte, and continues where
/// it stopped, so each byte is looked at once; only the digits of an unfinished number are read again, at most 21.
///
/// Source: Redis documentation, "Redis serialization protocol specification", protocol version 2.
struct RESPParser: Sendable {
    private let limits: RESPLimits
    /// The values so far.
    private(set) var tokens: [RESPToken] = []
    /// The first byte that belongs to no token. For a complete reply, the number of its bytes.
    private(set) var position = 0
    private(set) var isComplete = false
    /// The first byte of the current line that wasn't looked at.
    private(set) var scanned = 0
    /// The length of the bulk string at `position`.
    private var bulkBytes: Int?
    /// The number of missing elements of each open array, the outermost first.
    private var open: [Int] = []

    /// - Parameter limits: consistent ones: `contradictions` finds none.
    init(limits: RESPLimits) {
        self.limits = limits
    }

    /// The number of bytes that are missing at least, beyond the `count` that have arrived.
    func missing(of count: Int) -> Int {
        guard let bulkBytes else { return 1 }
        return max(1, position + bulkBytes + 2 - count)
    }

    /// Prepares for the next reply.
    mutating func reset() {
        tokens.removeAll(keepingCapacity: true)
        open.removeAll(keepingCapacity: true)
        (position, scanned, bulkBytes, isComplete) = (0, 0, nil, false)
    }

    /// Continues with more bytes. After an error the parser must not be used again.
    ///
    /// - Parameter bytes: everything from the reply's first byte on.
    /// - Returns: whether the reply is complete.
    mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(RESPError) -> Bool {
        while !isComplete {
            if let bulkBytes {
                // All three are bounded, so the sum can't overflow.
                let end = position + bulkBytes
                guard end + 2 <= bytes.count else { return false }
                guard bytes[end] == Self.cr, bytes[end + 1] == Self.lf else { throw .malformedBulk }
                let place = position..<end
                self.bulkBytes = nil
                try advance(to: end + 2)
                try add(.bulk(place))
            } else {
                guard try parseLine(bytes) else { return false }
            }
        }
        return true
    }

    /// Takes a line, which is a whole value or the beginning of one.
    ///
    /// - Returns: false if the line is incomplete.
    private mutating func parseLine(_ bytes: UnsafeRawBufferPointer) throws(RESPError) -> Bool {
        guard position < bytes.count else { return false }
        let type = bytes[position]
        switch type {
        case UInt8(ascii: "+"):
            guard let line = try takeLine(bytes, bytesMax: limits.lineBytesMax) else { return false }
            try add(.simple(line))
        case UInt8(ascii: "-"):
            guard let line = try takeLine(bytes, bytesMax: limits.lineBytesMax) else { return false }
            try add(.error(line))
        case UInt8(ascii: ":"):
            guard let line = try takeLine(bytes, bytesMax: Self.numberBytesMax) else { return false }
            try add(.integer(Self.number(bytes, line)))
        case UInt8(ascii: "$"):
            guard let line = try takeLine(bytes, bytesMax: Self.numberBytesMax) else { return false }
            guard let count = try Self.length(bytes, line) else {
                try add(.null)
                return true
            }
            guard count <= UInt64(limits.bulkBytesMax) else { throw .bulkTooLong }
            guard position + Int(count) + 2 <= limits.replyBytesMax else { throw .replyTooLong }
            bulkBytes = Int(count)
        case UInt8(ascii: "*"):
            guard let line = try takeLine(bytes, bytesMax: Self.numberBytesMax) else { return false }
            guard let count = try Self.length(bytes, line) else {
                try add(.null)
                return true
            }
            // Each element will be a token.
            guard count < UInt64(limits.valuesMax - tokens.count) else { throw .tooManyValues }
            try add(.array(Int(count)))
        default: throw .unknownType(type)
        }
        return true
    }

    // MARK: Lines

    private static let cr = UInt8(ascii: "\r")
    private static let lf = UInt8(ascii: "\n")
    /// A sign, and the digits of 2⁶⁴.
    private static let numberBytesMax = 21

    /// Takes the line at `position`, without its type and its end; `nil` if it is incomplete.
    private mutating func takeLine(_ bytes: UnsafeRawBufferPointer, bytesMax: Int) throws(RESPError) -> Range<Int>? {
        let start = position + 1
        var index = max(scanned, start)
        // The end of the longest line is looked for, and no byte behind it.
        let end = min(bytes.count, start + bytesMax + 1)
        while index < end, bytes[index] != Self.cr {
            guard bytes[index] != Self.lf else { throw .malformedLine }
            index += 1
        }
        scanned = index
        guard index < end else {
            guard index - start <= bytesMax else { throw .lineTooLong }
            return nil
        }
        guard index + 1 < bytes.count else { return nil }
        guard bytes[index + 1] == Self.lf else { throw .malformedLine }
        try advance(to: index + 2)
        return start..<index
    }

    private mutating func advance(to next: Int) throws(RESPError) {
        guard next <= limits.replyBytesMax else { throw .replyTooLong }
        (position, scanned) = (next, next)
    }

    /// A number with an optional sign.
    private static func number(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(RESPError) -> Int64 {
        guard let first = line.first else { throw .malformedNumber }
        let isNegative = bytes[first] == UInt8(ascii: "-")
        let isSigned = isNegative || bytes[first] == UInt8(ascii: "+")
        let magnitude = try digits(bytes, isSigned ? line.dropFirst() : line)
        if isNegative, magnitude == Int64.min.magnitude { return .min }
        guard let number = Int64(exactly: magnitude) else { throw .malformedNumber }
        return isNegative ? -number : number
    }

    /// A length; `nil` for -1, which announces a null.
    private static func length(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(RESPError) -> UInt64? {
        if line.count == 2, bytes[line.lowerBound] == UInt8(ascii: "-"), bytes[line.lowerBound + 1] == UInt8(ascii: "1")
        {
            return nil
        }
        return try digits(bytes, line)
    }

    private static func digits(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(RESPError) -> UInt64 {
        guard !line.isEmpty else { throw .malformedNumber }
        var number: UInt64 = 0
        for index in line {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw .malformedNumber }
            let (product, isOver) = number.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = product.addingReportingOverflow(UInt64(digit))
            guard !isOver, !isOverToo else { throw .malformedNumber }
            number = sum
        }
        return number
    }

    // MARK: Values

    private mutating func add(_ token: RESPToken) throws(RESPError) {
        guard tokens.count < limits.valuesMax else { throw .tooManyValues }
        tokens.append(token)
        if case .array(let count) = token, count > 0 {
            guard open.count < limits.depthMax else { throw .tooDeep }
            open.append(count)
            return
        }
        // A value is complete, and with it each array of which it is the last.
        while let missing = open.popLast() {
            guard missing == 1 else {
                open.append(missing - 1)
                return
            }
        }
        isComplete = true
    }
}
