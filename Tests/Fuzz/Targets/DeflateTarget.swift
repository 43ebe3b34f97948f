internal import GoHubCore

@testable import GoHubWire

extension FuzzTarget {
    /// Bytes to decompress, and to compress. The first three bytes choose the settings.
    static let deflate = FuzzTarget("deflate", bytesMax: 8192) { bytes in
        var input = FuzzInput(bytes)
        let isText = input.byte() & 1 == 1
        let bytesMax = input.choose([0, 100, 16_384, 16_385, 65_536, 1_000_000])
        let settings = input.byte()
        let payload = Array(input.rest)
        let inflater = try Inflater()
        let once = Inflated(payload, inflater, bytesMax: bytesMax, isText: isText)
        try once.check(bytesMax: bytesMax, isText: isText)
        try requireEqual(
            once, Inflated(payload, inflater, bytesMax: bytesMax, isText: isText), "nothing is left of a message before"
        )

        let configuration = DeflateConfiguration(
            windowBits: 9 + Int(settings & 0x0F), level: 1 + Int(settings >> 4), payloadBytesMin: 1)
        try checkRoundTrip(payload, try Deflater(configuration), inflater)
        // The decompressed bytes compress better than the input itself.
        if case .message(let bytes) = once { try checkRoundTrip(bytes, try Deflater(configuration), inflater) }
    }

    private static func checkRoundTrip(_ payload: [UInt8], _ deflater: Deflater, _ inflater: Inflater) throws {
        var frames: [UInt8] = []
        try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .binary, to: &frames) }
        let first = frames
        try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .binary, to: &frames) }
        try requireEqual(Array(frames.dropFirst(first.count)), first, "a message is compressed by itself")
        try require(first.count <= FrameEncoder.frameBytes(payloadBytes: payload.count), "a frame never grows")

        let short = first[1] & 0x7F
        let body = Array(first.dropFirst(short == 127 ? 10 : short == 126 ? 4 : 2))
        guard first[0] & 0x40 != 0 else { return try requireEqual(body, payload, "what doesn't shrink is left alone") }
        try requireEqual(
            Inflated(body, inflater, bytesMax: payload.count, isText: false), .message(payload),
            "what was compressed comes back")
        try requireEqual(
            Inflated(body, inflater, bytesMax: payload.count - 1, isText: false), .refused(.messageTooBig),
            "the bound is exact")
    }
}

/// An inflater's result for a message.
private enum Inflated: Equatable {
    case message([UInt8])
    case refused(CloseCode)

    init(_ payload: [UInt8], _ inflater: Inflater, bytesMax: Int, isText: Bool) {
        var message: [UInt8] = []
        self = payload.withUnsafeBytes { bytes in
            do throws(WebSocketError) {
                _ = try inflater.inflate(bytes, bytesMax: bytesMax, isText: isText) {
                    message = Array($0)
                    return true
                }
                return .message(message)
            } catch {
                return .refused(error.closeCode)
            }
        }
    }

    func check(bytesMax: Int, isText: Bool) throws {
        switch self {
        case .message(let bytes):
            try require(bytes.count <= bytesMax, "a message is within its bound")
            try require(!isText || String(validating: bytes, as: UTF8.self) != nil, "a text is UTF-8")
        case .refused(let code):
            try require([1007, 1009].contains(code.rawValue), "a client's mistake has a client's code")
        }
    }
}
