internal import GoHubCore

/// Writes the frames of the server: always whole messages, never masked (RFC 6455, section 5.1).
enum FrameEncoder {
    /// Two bytes and up to eight of length.
    static let headerBytesMax = 10

    /// Size of the header in front of a payload.
    static func headerBytes(payloadBytes: Int) -> Int {
        payloadBytes <= 125 ? 2 : payloadBytes <= 0xFFFF ? 4 : 10
    }

    /// Size of a whole frame.
    static func frameBytes(payloadBytes: Int) -> Int {
        headerBytes(payloadBytes: payloadBytes) + payloadBytes
    }

    /// Appends one unfragmented frame.
    static func append(
        _ payload: UnsafeRawBufferPointer, opcode: Opcode, isCompressed: Bool = false, to frames: inout [UInt8]
    ) {
        appendHeader(opcode: opcode, payloadBytes: payload.count, isCompressed: isCompressed, to: &frames)
        frames.append(contentsOf: payload)
    }

    /// Appends one unfragmented frame.
    static func append(
        _ payload: [UInt8], opcode: Opcode, isCompressed: Bool = false, to frames: inout [UInt8]
    ) {
        appendHeader(opcode: opcode, payloadBytes: payload.count, isCompressed: isCompressed, to: &frames)
        frames.append(contentsOf: payload)
    }

    /// Appends the header of an unfragmented frame, for a caller that then writes the payload itself.
    static func appendHeader(
        opcode: Opcode, payloadBytes: Int, isCompressed: Bool = false, to frames: inout [UInt8]
    ) {
        precondition(payloadBytes >= 0 && (!opcode.isControl || payloadBytes <= FrameHeader.controlPayloadBytesMax))
        frames.append(0x80 | (isCompressed ? 0x40 : 0) | opcode.rawValue)
        switch payloadBytes {
        case ...125:
            frames.append(UInt8(payloadBytes))
        case ...0xFFFF:
            frames.append(126)
            withUnsafeBytes(of: UInt16(payloadBytes).bigEndian) { frames.append(contentsOf: $0) }
        default:
            frames.append(127)
            withUnsafeBytes(of: UInt64(payloadBytes).bigEndian) { frames.append(contentsOf: $0) }
        }
    }

    /// One whole frame.
    static func frame(_ payload: [UInt8], opcode: Opcode) -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(frameBytes(payloadBytes: payload.count))
        append(payload, opcode: opcode, to: &frame)
        return frame
    }

    /// A close frame. A code that is not allowed on the wire (`.noStatus`, `.abnormal`) gives an empty one; a reason of
    /// more than 123 bytes is truncated at a character boundary (RFC 6455, section 5.5.1).
    ///
    /// - Parameter reason: `nil` for the code's own text.
    static func closeFrame(_ code: CloseCode, reason: String? = nil) -> [UInt8] {
        guard code.isValidOnTheWire else { return frame([], opcode: .close) }
        var payload = [UInt8(code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)]
        for scalar in (reason ?? code.reason).unicodeScalars {
            let utf8 = UTF8.encode(scalar)
            guard let utf8, payload.count + utf8.count <= FrameHeader.controlPayloadBytesMax else { break }
            payload.append(contentsOf: utf8)
        }
        return frame(payload, opcode: .close)
    }

    /// The first boundary between frames at or after `offset`, where a queue of encoded frames may be cut without
    /// leaving the peer inside a frame.
    ///
    /// - Parameter frames: concatenated frames of this encoder, beginning at a frame boundary.
    /// - Returns: `nil` if the bytes end before a boundary.
    static func frameBoundary(in frames: UnsafeRawBufferPointer, atOrAfter offset: Int) -> Int? {
        var boundary = 0
        while boundary < offset {
            guard frames.count - boundary >= 2 else { return nil }
            let payloadBytes: Int
            switch frames[boundary + 1] & 0x7F {
            case 126:
                guard frames.count - boundary >= 4 else { return nil }
                let length = frames.loadUnaligned(fromByteOffset: boundary + 2, as: UInt16.self)
                payloadBytes = Int(UInt16(bigEndian: length))
            case 127:
                guard frames.count - boundary >= 10 else { return nil }
                let length = frames.loadUnaligned(fromByteOffset: boundary + 2, as: UInt64.self)
                payloadBytes = Int(clamping: UInt64(bigEndian: length))
            case let length:
                payloadBytes = Int(length)
            }
            // Without a sum that could overflow: is the frame's end within the bytes?
            let headerBytes = headerBytes(payloadBytes: payloadBytes)
            guard payloadBytes <= frames.count - boundary - headerBytes else { return nil }
            boundary += headerBytes + payloadBytes
        }
        return boundary
    }
}
