internal import GoHubCore

/// Reads a client's frames from a byte stream that is split at arbitrary points (RFC 6455, section 5.2).
///
/// The decoder keeps at most the 14 bytes of one header. Payload isn't kept: it is unmasked in the caller's buffer and
/// passed on as it arrives. Every rule about a header alone is checked as soon as its bytes are there, before anything
/// is allocated for the frame; rules about previous frames are checked by `MessageAssembler`.
struct FrameDecoder {
    /// A part of one frame: its header, and as much of its payload as the buffer contains.
    struct Chunk {
        let header: FrameHeader
        /// Unmasked; points into the caller's buffer. Empty for an empty frame, and when only the header has arrived.
        let payload: UnsafeRawBufferPointer
        /// The header was completed by this chunk.
        let isFirst: Bool
        /// The frame is complete with this chunk.
        let isLast: Bool
    }

    /// The maximum payload that one frame may announce.
    private let payloadBytesMax: Int
    /// Bytes of the current frame's payload that haven't arrived.
    private var remaining = 0
    /// The current frame, whose masking key rotates as its payload is unmasked.
    private var header = FrameHeader(
        payloadBytes: 0, maskingKey: MaskingKey(littleEndian: 0), opcode: .continuation, isFinal: true,
        isCompressed: false)
    /// The beginning of a header that was split at the end of a buffer.
    private var stash: (UInt64, UInt64) = (0, 0)
    private var stashCount: UInt8 = 0
    private let allowsCompression: Bool

    /// - Parameters:
    ///   - payloadBytesMax: the longest payload of one frame; a longer one is refused with 1009.
    ///   - allowsCompression: whether permessage-deflate was negotiated, which defines RSV1.
    init(payloadBytesMax: Int, allowsCompression: Bool) {
        self.payloadBytesMax = max(payloadBytesMax, FrameHeader.controlPayloadBytesMax)
        self.allowsCompression = allowsCompression
    }

    /// The next chunk in `input` from `offset` on, which advances past it; `nil` when the input is used up.
    ///
    /// After an error the stream is lost: the decoder must not be used again.
    mutating func next(
        in input: UnsafeMutableRawBufferPointer, at offset: inout Int
    ) throws(WebSocketError) -> Chunk? {
        if remaining > 0 {
            guard offset < input.count else { return nil }
            return takePayload(in: input, at: &offset, isFirst: false)
        }
        guard try takeHeader(in: input, at: &offset) else { return nil }
        remaining = header.payloadBytes
        return takePayload(in: input, at: &offset, isFirst: true)
    }

    /// Unmasks the part of the current payload that the input contains.
    private mutating func takePayload(
        in input: UnsafeMutableRawBufferPointer, at offset: inout Int, isFirst: Bool
    ) -> Chunk {
        let count = min(remaining, input.count &- offset)
        // In bounds: `offset <= input.count`, and `count` is at most the rest of the input.
        let payload = UnsafeMutableRawBufferPointer(rebasing: input[offset..<offset &+ count])
        header.maskingKey.apply(to: payload)
        offset &+= count
        remaining &-= count
        return Chunk(
            header: header, payload: UnsafeRawBufferPointer(payload), isFirst: isFirst, isLast: remaining == 0)
    }

    /// Reads the next header, from the input alone or from the kept bytes and the input. False if it is incomplete.
    private mutating func takeHeader(
        in input: UnsafeMutableRawBufferPointer, at offset: inout Int
    ) throws(WebSocketError) -> Bool {
        if stashCount == 0 {
            let rest = UnsafeRawBufferPointer(rebasing: input[offset...])
            if let size = try parseHeader(rest) {
                offset &+= size
                return true
            }
        }
        // Byte by byte: a header is tried at most 14 times, and each of its rules fails at the first byte that violates
        // it.
        while offset < input.count {
            let byte = input[offset]
            offset &+= 1
            withUnsafeMutableBytes(of: &stash) { $0[Int(stashCount)] = byte }
            stashCount &+= 1
            // A copy, because `parseHeader` changes other fields of `self`.
            let kept = stash
            let count = Int(stashCount)
            let size: Int? = try withUnsafeBytes(of: kept) { (bytes) throws(WebSocketError) in
                try parseHeader(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
            if size != nil {
                stashCount = 0
                return true
            }
        }
        return false
    }

    /// Parses the header at the start of `bytes` into `header` and returns its size; `nil` if more bytes are needed.
    private mutating func parseHeader(_ bytes: UnsafeRawBufferPointer) throws(WebSocketError) -> Int? {
        guard let first = bytes.first else { return nil }
        let isFinal = first & 0x80 != 0
        let isCompressed = first & 0x40 != 0
        guard first & 0x30 == 0, !isCompressed || allowsCompression else {
            throw .protocolError("a reserved bit is set, but no negotiated extension defines it")
        }
        guard let opcode = Opcode(rawValue: first & 0x0F) else {
            throw .protocolError("opcode \(first & 0x0F) is reserved")
        }
        if opcode.isControl {
            guard isFinal else { throw .protocolError("a control frame is fragmented") }
            guard !isCompressed else { throw .protocolError("a control frame is marked as compressed") }
        } else if opcode == .continuation, isCompressed {
            throw .protocolError("a continuation frame is marked as compressed")
        }

        guard bytes.count >= 2 else { return nil }
        guard bytes[1] & 0x80 != 0 else { throw .protocolError("a client frame is not masked") }
        let shortLength = bytes[1] & 0x7F
        guard !opcode.isControl || shortLength <= FrameHeader.controlPayloadBytesMax else {
            throw .protocolError("a control frame is longer than 125 bytes")
        }
        // Lengths stay unsigned until they are known to be within the limit, so that no conversion can trap.
        let length: UInt64
        let keyStart: Int
        switch shortLength {
        case 126:
            guard bytes.count >= 4 else { return nil }
            length = UInt64(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            guard length > 125 else { throw .protocolError("a 16-bit length is used where 7 bits suffice") }
            keyStart = 4
        case 127:
            guard bytes.count >= 10 else { return nil }
            length = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard length >> 63 == 0 else { throw .protocolError("the most significant bit of a 64-bit length is set") }
            guard length > 0xFFFF else { throw .protocolError("a 64-bit length is used where 16 bits suffice") }
            keyStart = 10
        default:
            length = UInt64(shortLength)
            keyStart = 2
        }
        guard length <= UInt64(payloadBytesMax) else {
            throw .tooBig("a frame has \(length) bytes, more than the limit of \(payloadBytesMax)")
        }
        guard bytes.count >= keyStart &+ 4 else { return nil }
        let key = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: keyStart, as: UInt32.self))
        header = FrameHeader(
            payloadBytes: Int(length), maskingKey: MaskingKey(littleEndian: key), opcode: opcode, isFinal: isFinal,
            isCompressed: isCompressed)
        return keyStart &+ 4
    }
}
