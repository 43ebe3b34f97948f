@testable import GoHubWire

extension FuzzTarget {
    /// The frames of a client. The first byte chooses how the rest is split, the second the limits.
    static let frames = FuzzTarget("frames", bytesMax: 4096) { bytes in
        var input = FuzzInput(bytes)
        let cut = input.byte()
        let options = input.byte()
        let payloadBytesMax = [125, 126, 1000, 70_000, Int.max][Int(options >> 1) % 5]
        let stream = Array(input.rest)
        func decode(_ parts: [[UInt8]]) -> DecodedFrames {
            DecodedFrames(parts, payloadBytesMax: payloadBytesMax, allowsCompression: options & 1 == 1)
        }
        let whole = decode([stream])
        try requireEqual(whole, decode(stream.parts(cut: cut)), "frames are read alike however they are cut")

        // The first header must be the only valid encoding of its fields. The payload must be the unmasked bytes.
        var expected: [UInt8] = []
        for frame in whole.frames { expected += try frame.encoded(in: stream, at: expected.count) }
        try require(
            stream.starts(with: expected), "the frames that were read, written again, are the bytes that came")
        for frame in whole.frames {
            try require(frame.announced <= max(payloadBytesMax, 125), "no frame is longer than its bound")
            try require(!frame.opcode.isControl || frame.announced <= 125, "a control frame is short")
        }
        if whole.error == nil {
            let rest = stream.count - expected.count
            try require(rest < FrameHeader.bytesMax, "only a header's beginning is held back")
        }
        try checkOwnFrames(whole.frames)
    }

    /// For frames of ours with the same payloads, `frameBoundary` must find the boundaries.
    private static func checkOwnFrames(_ frames: [DecodedFrames.Frame]) throws {
        var written: [UInt8] = []
        for frame in frames where frame.opcode != .continuation {
            let start = written.count
            FrameEncoder.append(frame.payload, opcode: frame.opcode, to: &written)
            let boundary = written.withUnsafeBytes { FrameEncoder.frameBoundary(in: $0, atOrAfter: start + 1) }
            try requireEqual(boundary, written.count, "a frame ends where the next one starts")
        }
    }
}

/// A decoder's complete output for a stream.
private struct DecodedFrames: Equatable {
    struct Frame: Equatable {
        let opcode: Opcode
        let isFinal: Bool
        let isCompressed: Bool
        let announced: Int
        var payload: [UInt8] = []
        var isComplete = false

        /// The frame as a client would have written it, with the masking key from the stream.
        func encoded(in stream: [UInt8], at start: Int) throws -> [UInt8] {
            var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode.rawValue]
            switch announced {
            case ...125: bytes.append(0x80 | UInt8(announced))
            case ...0xFFFF: bytes += [0x80 | 126, UInt8(announced >> 8), UInt8(announced & 0xFF)]
            default:
                bytes.append(0x80 | 127)
                for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(announced >> shift & 0xFF)) }
            }
            let key = Array(stream.dropFirst(start + bytes.count).prefix(4))
            try require(key.count == 4, "a frame has a key")
            return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
        }
    }

    var frames: [Frame] = []
    var error: WebSocketError?

    init(_ parts: [[UInt8]], payloadBytesMax: Int, allowsCompression: Bool) {
        var decoder = FrameDecoder(payloadBytesMax: payloadBytesMax, allowsCompression: allowsCompression)
        for part in parts {
            var part = part
            // The array belongs to this function and may be unmasked in place.
            let error: WebSocketError? = part.withUnsafeMutableBytes { bytes in
                var offset = 0
                do throws(WebSocketError) {
                    while let chunk = try decoder.next(in: bytes, at: &offset) { take(chunk) }
                    return nil
                } catch {
                    return error
                }
            }
            guard error == nil else {
                self.error = error
                return
            }
        }
    }

    private mutating func take(_ chunk: FrameDecoder.Chunk) {
        if chunk.isFirst {
            let header = chunk.header
            frames.append(
                Frame(
                    opcode: header.opcode, isFinal: header.isFinal, isCompressed: header.isCompressed,
                    announced: header.payloadBytes))
        }
        frames[frames.count - 1].payload += chunk.payload
        frames[frames.count - 1].isComplete = chunk.isLast
    }
}
