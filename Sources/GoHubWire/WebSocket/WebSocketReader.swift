internal import GoHubCore

/// Turns the bytes of one client into messages and control frames: framing, fragmentation, compression, UTF-8.
///
/// Sans I/O: the connection reads from its socket and passes every byte to `read`. A message that is complete in one
/// buffer isn't copied. Between messages the reader holds no heap memory.
///
/// It has no clock, so it can't bound how often control frames arrive and how long a message stays unfinished.
struct WebSocketReader {
    struct Limits: Sendable, Equatable {
        /// The longest message, in bytes after inflation.
        var messageBytesMax: Int
        /// The maximum number of fragments of one message, including empty ones: each costs work, however small.
        var framesPerMessageMax: Int

        init(messageBytesMax: Int = 64 * 1024, framesPerMessageMax: Int = 256) {
            self.messageBytesMax = max(messageBytesMax, 0)
            self.framesPerMessageMax = max(framesPerMessageMax, 1)
        }

        /// The longest payload of a message on the wire. DEFLATE makes incompressible data slightly longer, and a
        /// message of exactly the allowed length must still be accepted.
        func wireBytesMax(isCompressed: Bool) -> Int {
            guard isCompressed else { return messageBytesMax }
            let (sum, overflow) = messageBytesMax.addingReportingOverflow(messageBytesMax / 512 + 64)
            return overflow ? Int.max : sum
        }
    }

    /// An input from a client. The pointers are valid during the call only.
    enum Input {
        /// Valid UTF-8.
        case text(UnsafeRawBufferPointer)
        case binary(UnsafeRawBufferPointer)
        /// Must be answered by a pong with the same payload (RFC 6455, section 5.5.2).
        case ping(UnsafeRawBufferPointer)
        case pong(UnsafeRawBufferPointer)
        /// The client's close frame; `.noStatus` if it was empty. Nothing is read after it.
        case close(CloseCode, reason: String)
    }

    private var decoder: FrameDecoder
    private let limits: Limits
    /// Decompresses; shared by all connections of a loop. `nil`: permessage-deflate wasn't negotiated.
    private let inflater: Inflater?
    /// The message in progress, if it didn't arrive in one piece.
    private var assembler: MessageAssembler?
    /// The beginning of a control frame that was split at the end of a buffer; at most 125 bytes.
    private var control: [UInt8] = []
    /// After a close frame, an error, or a `receive` that returned false, bytes are ignored.
    private(set) var isFinished = false

    /// - Parameters:
    ///   - limits: checked as soon as a length is known.
    ///   - inflater: the loop's, if permessage-deflate was negotiated on this connection.
    init(limits: Limits, inflater: Inflater? = nil) {
        self.limits = limits
        self.inflater = inflater
        decoder = FrameDecoder(
            payloadBytesMax: limits.wireBytesMax(isCompressed: inflater != nil), allowsCompression: inflater != nil)
    }

    /// Whether a message is incomplete: the connection should give it a deadline.
    var isInsideMessage: Bool { assembler != nil }

    /// Reads all bytes, and calls `receive` for each complete message or control frame, in order.
    ///
    /// - Parameters:
    ///   - bytes: the client's bytes; unmasked in place.
    ///   - isPaused: called after each message; if true, the rest of the bytes is for a later call.
    ///   - receive: returns false to stop: the rest of the bytes, and all later ones, are ignored. It must not use this
    ///     reader, which is being changed while it runs.
    /// - Returns: the number of bytes processed: all, unless it paused.
    /// - Throws: `WebSocketError` with the code to close with. Messages before the error were delivered.
    @discardableResult
    mutating func read(
        _ bytes: UnsafeMutableRawBufferPointer, isPaused: () -> Bool = { false }, _ receive: (Input) -> Bool
    ) throws(WebSocketError) -> Int {
        guard !isFinished else { return bytes.count }
        var offset = 0
        do throws(WebSocketError) {
            while let chunk = try decoder.next(in: bytes, at: &offset) {
                let goOn =
                    chunk.header.opcode.isControl
                    ? try takeControl(chunk, receive) : try takeData(chunk, receive)
                guard goOn else {
                    finish()
                    return bytes.count
                }
                if isPaused() { return offset }
            }
            return bytes.count
        } catch {
            finish()
            throw error
        }
    }

    private mutating func finish() {
        isFinished = true
        assembler = nil
        control = []
    }

    // MARK: Data frames

    private mutating func takeData(
        _ chunk: FrameDecoder.Chunk, _ receive: (Input) -> Bool
    ) throws(WebSocketError) -> Bool {
        let header = chunk.header
        if chunk.isFirst {
            if (header.opcode == .continuation) != (assembler != nil) {
                throw .protocolError(
                    assembler == nil
                        ? "a continuation frame has no message to continue"
                        : "a new message starts inside an unfinished one")
            }
            // Most messages are one frame in one read and are delivered in place.
            if chunk.isLast, header.isFinal, assembler == nil {
                return try deliver(
                    chunk.payload, opcode: header.opcode, isCompressed: header.isCompressed, isChecked: false, receive)
            }
            let assembler = self.assembler ?? MessageAssembler(startingWith: header)
            try assembler.beginFrame(header, limits: limits)
            self.assembler = assembler
        }
        guard let assembler else { return true }
        try assembler.append(chunk.payload)
        guard chunk.isLast, header.isFinal else { return true }

        try assembler.finish()
        // The memory is released with the message: a connection that once sent a large one shouldn't keep it.
        self.assembler = nil
        return try assembler.bytes.withUnsafeBufferPointer { (bytes) throws(WebSocketError) in
            try deliver(
                UnsafeRawBufferPointer(bytes), opcode: assembler.opcode, isCompressed: assembler.isCompressed,
                isChecked: true, receive)
        }
    }

    /// - Parameter isChecked: uncompressed text is known to be UTF-8.
    private func deliver(
        _ payload: UnsafeRawBufferPointer, opcode: Opcode, isCompressed: Bool, isChecked: Bool,
        _ receive: (Input) -> Bool
    ) throws(WebSocketError) -> Bool {
        if isCompressed, let inflater {
            // The decoder's bound is never below a control frame's length, but a message's may be.
            guard payload.count <= limits.wireBytesMax(isCompressed: true) else {
                throw .tooBig("a message is longer than \(limits.messageBytesMax) bytes")
            }
            return try inflater.inflate(payload, bytesMax: limits.messageBytesMax, isText: opcode == .text) {
                receive(opcode == .text ? .text($0) : .binary($0))
            }
        }
        guard payload.count <= limits.messageBytesMax else {
            throw .tooBig("a message is longer than \(limits.messageBytesMax) bytes")
        }
        guard opcode == .text else { return receive(.binary(payload)) }
        guard isChecked || UTF8Validator.isValid(payload) else {
            throw .invalidPayload("a text message is not UTF-8")
        }
        return receive(.text(payload))
    }

    // MARK: Control frames

    private mutating func takeControl(
        _ chunk: FrameDecoder.Chunk, _ receive: (Input) -> Bool
    ) throws(WebSocketError) -> Bool {
        let opcode = chunk.header.opcode
        if chunk.isFirst, chunk.isLast { return try deliverControl(chunk.payload, opcode: opcode, receive) }
        control.append(contentsOf: chunk.payload)
        guard chunk.isLast else { return true }
        let whole = control
        control = []
        return try whole.withUnsafeBufferPointer { (bytes) throws(WebSocketError) in
            try deliverControl(UnsafeRawBufferPointer(bytes), opcode: opcode, receive)
        }
    }

    private func deliverControl(
        _ payload: UnsafeRawBufferPointer, opcode: Opcode, _ receive: (Input) -> Bool
    ) throws(WebSocketError) -> Bool {
        switch opcode {
        case .ping: return receive(.ping(payload))
        case .pong: return receive(.pong(payload))
        default:
            let (code, reason) = try WebSocketReader.parseClose(payload)
            _ = receive(.close(code, reason: reason))
            return false
        }
    }

    /// The code and the reason of a close frame (RFC 6455, sections 5.5.1 and 7.4).
    private static func parseClose(
        _ payload: UnsafeRawBufferPointer
    ) throws(WebSocketError) -> (CloseCode, String) {
        guard !payload.isEmpty else { return (.noStatus, "") }
        guard payload.count >= 2 else { throw .protocolError("a close frame's payload is a single byte") }
        let code = CloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isValidOnTheWire else {
            throw .protocolError("close code \(code.rawValue) is not allowed in a close frame")
        }
        let reason = UnsafeRawBufferPointer(rebasing: payload[2...])
        guard UTF8Validator.isValid(reason) else {
            throw .invalidPayload("the reason of a close frame is not UTF-8")
        }
        return (code, String(decoding: reason, as: UTF8.self))
    }
}
