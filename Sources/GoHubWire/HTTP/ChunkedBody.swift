/// Finds the end of a body in the chunked transfer coding (RFC 9112, section 7.1).
///
/// As strict as `RequestHeadParser`, for the same reason: another server reads these bytes, too. A bare LF, white space
/// in a size line, and a control character in an extension or a trailer are errors. Nothing is copied or allocated.
struct ChunkedBody: Equatable {
    /// The maximum length of a size line, including extensions, and of the trailer section.
    static let lineBytesMax = 256
    static let trailerBytesMax = 8 * 1024
    /// The maximum digits of a size: 15 are a petabyte and can't overflow.
    private static let digitsMax = 15

    private enum State: Equatable {
        case size(UInt64, digits: Int)
        case sizeExtension(UInt64)
        case sizeEnd(UInt64)
        case data(UInt64)
        case dataCR
        case dataLF
        case trailerStart
        case trailerName
        case trailerValue
        case trailerEnd
        case end
        case complete
    }

    private var state = State.size(0, digits: 0)
    /// Bytes of the current size line or of the trailer section.
    private var lineBytes = 0

    var isComplete: Bool { state == .complete }

    /// Processes the body's next bytes.
    ///
    /// - Returns: how many of them belong to the body: all, unless it is complete.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(UpgradeRejection) -> Int {
        var index = 0
        while index < bytes.count, state != .complete {
            if case .data(let left) = state {
                let count = Int(min(left, UInt64(bytes.count - index)))
                index += count
                state = left == UInt64(count) ? .dataCR : .data(left - UInt64(count))
            } else {
                try take(bytes[index])
                index += 1
            }
        }
        return index
    }

    private mutating func take(_ byte: UInt8) throws(UpgradeRejection) {
        switch state {
        case .size(let size, let digits):
            try count(Self.lineBytesMax)
            if let digit = Self.hexDigit(byte) {
                guard digits < Self.digitsMax else { throw .badRequest("A chunk of the body is too large.") }
                state = .size(size << 4 | UInt64(digit), digits: digits + 1)
            } else {
                guard digits > 0, byte == UInt8(ascii: "\r") || byte == UInt8(ascii: ";") else {
                    throw .badRequest("A chunk of the body does not start with its size.")
                }
                state = byte == UInt8(ascii: ";") ? .sizeExtension(size) : .sizeEnd(size)
            }
        case .sizeExtension(let size):
            try count(Self.lineBytesMax)
            if byte == UInt8(ascii: "\r") {
                state = .sizeEnd(size)
            } else {
                guard HTTPSyntax.isFieldValueByte(byte) else {
                    throw .badRequest("A chunk extension contains a control character.")
                }
            }
        case .sizeEnd(let size):
            try expect(byte, "\n")
            lineBytes = 0
            state = size == 0 ? .trailerStart : .data(size)
        // `take` processes data itself.
        case .data, .complete: break
        case .dataCR:
            try expect(byte, "\r")
            state = .dataLF
        case .dataLF:
            try expect(byte, "\n")
            state = .size(0, digits: 0)
        case .trailerStart, .trailerName, .trailerValue, .trailerEnd, .end: try takeTrailer(byte)
        }
    }

    private mutating func takeTrailer(_ byte: UInt8) throws(UpgradeRejection) {
        try count(Self.trailerBytesMax)
        switch state {
        case .trailerStart where byte == UInt8(ascii: "\r"): state = .end
        case .trailerStart:
            guard HTTPSyntax.isTokenByte(byte) else { throw Self.badTrailer }
            state = .trailerName
        case .trailerName:
            guard byte == UInt8(ascii: ":") || HTTPSyntax.isTokenByte(byte) else { throw Self.badTrailer }
            if byte == UInt8(ascii: ":") { state = .trailerValue }
        case .trailerValue where byte == UInt8(ascii: "\r"): state = .trailerEnd
        case .trailerValue:
            guard HTTPSyntax.isFieldValueByte(byte) else { throw Self.badTrailer }
        case .trailerEnd:
            try expect(byte, "\n")
            state = .trailerStart
        default:
            try expect(byte, "\n")
            state = .complete
        }
    }

    private static let badTrailer = UpgradeRejection.badRequest("A trailer of the body is malformed.")

    private mutating func count(_ bytesMax: Int) throws(UpgradeRejection) {
        lineBytes += 1
        guard lineBytes <= bytesMax else { throw .badRequest("A line between the body's chunks is too long.") }
    }

    private func expect(_ byte: UInt8, _ expected: Unicode.Scalar) throws(UpgradeRejection) {
        guard byte == UInt8(ascii: expected) else { throw .badRequest("A chunk of the body does not end in CRLF.") }
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
