internal import CGoHubZlib
internal import GoHubCore

/// The bytes that RFC 7692, section 7.2.1 removes from the end of a compressed message: the body of an empty stored
/// block.
private let syncTail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

/// Decompresses messages of permessage-deflate (RFC 7692, section 7.2.2).
///
/// One for all connections of a loop: no context is kept between messages, so nothing of a connection stays in it. Its
/// window and output buffer (about 56 KB together) are therefore needed once, not per connection.
final class Inflater {
    /// The output is produced, counted and checked in steps of this size, so that a decompression bomb is detected
    /// early.
    private static let chunkBytes = 16 * 1024

    /// The maximum number of deflate streams in one message. Normally it is one; a sender that ends its stream with
    /// BFINAL needs a second for the padding block (RFC 7692, section 7.2.3.4).
    private static let streamsMax = 16

    /// On the heap, because zlib keeps its address.
    private let stream: UnsafeMutablePointer<z_stream>
    private let chunk: UnsafeMutableRawBufferPointer
    private var isLent = false

    /// - Parameter initial: may have custom allocation functions.
    /// - Throws: 1011 if zlib can't allocate its state.
    init(_ initial: z_stream = z_stream()) throws(WebSocketError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: initial)
        chunk = .allocate(byteCount: Inflater.chunkBytes, alignment: 16)
        // Negative: raw DEFLATE. The largest window reads the output of any smaller one.
        let status = inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        // All properties are set, so `deinit` frees them; without a zlib state there is nothing to end.
        guard status == Z_OK else { throw .internalError("zlib could not set up an inflater (status \(status))") }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        chunk.deallocate()
    }

    /// Decompresses one message, and calls `body` with it once it is complete and valid.
    ///
    /// - Parameters:
    ///   - compressed: the payload of all the message's frames.
    ///   - bytesMax: the maximum size of the message after decompression.
    ///   - isText: the message must be UTF-8.
    ///   - body: must not use this inflater; the pointer is valid during the call.
    /// - Returns: the result of `body`.
    /// - Throws: 1009 over the limit, 1007 for damaged data or text that isn't UTF-8, 1011 if memory ran out.
    func inflate(
        _ compressed: UnsafeRawBufferPointer, bytesMax: Int, isText: Bool, _ body: (UnsafeRawBufferPointer) -> Bool
    ) throws(WebSocketError) -> Bool {
        precondition(!isLent, "an inflater must not be used by the receiver of its own output")
        guard inflateReset(stream) == Z_OK else { throw .internalError("zlib could not reset an inflater") }
        var run = Run(bytesMax: bytesMax, isText: isText)
        var hasEnded = try feed(compressed, &run)
        // A stream that ended with its last byte needs no tail.
        if !hasEnded {
            hasEnded = try syncTail.withUnsafeBufferPointer { (tail) throws(WebSocketError) in
                try feed(UnsafeRawBufferPointer(tail), &run)
            }
        }
        // Bits 0–5: unread bits of the last byte; 128: at the end of a block. Any other value means a truncated stream.
        guard hasEnded || stream.pointee.data_type & 0xBF == 0x80 else {
            throw .invalidPayload("a compressed message is truncated")
        }
        guard run.utf8.isComplete else {
            throw .invalidPayload("a text message ends inside a UTF-8 character")
        }
        isLent = true
        defer { isLent = false }
        guard run.spilled.isEmpty else {
            appendChunk(to: &run)
            return run.spilled.withUnsafeBytes(body)
        }
        return body(UnsafeRawBufferPointer(rebasing: chunk[..<run.chunkCount]))
    }

    /// The state of one message.
    private struct Run {
        let bytesMax: Int
        let isText: Bool
        var utf8 = UTF8Validator()
        var streams = 1
        /// Output in the inflater's chunk that isn't in `spilled`.
        var chunkCount = 0
        /// The output of a message that is larger than the chunk.
        var spilled: [UInt8] = []
    }

    private func appendChunk(to run: inout Run) {
        run.spilled.append(contentsOf: chunk[..<run.chunkCount])
        run.chunkCount = 0
    }

    /// Decompresses all of `input`. Returns whether a stream ended (BFINAL) exactly at its end.
    private func feed(_ input: UnsafeRawBufferPointer, _ run: inout Run) throws(WebSocketError) -> Bool {
        var offset = 0
        while offset < input.count {
            // zlib counts in 32 bits. It only reads the input, despite the mutable pointer in its declaration.
            let slice = UnsafeRawBufferPointer(rebasing: input[offset...].prefix(1 << 30))
            guard let start = slice.bindMemory(to: UInt8.self).baseAddress else { break }
            stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
            stream.pointee.avail_in = UInt32(slice.count)
            let status = try step(&run)
            offset += slice.count - Int(stream.pointee.avail_in)
            guard status == Z_STREAM_END else {
                // zlib stops before the end of its input only at the end of a stream; otherwise this would loop
                // forever.
                guard stream.pointee.avail_in == 0 else { throw .invalidPayload("a compressed message is damaged") }
                continue
            }
            guard offset < input.count else { return true }
            run.streams += 1
            guard run.streams <= Inflater.streamsMax else {
                throw .invalidPayload("a compressed message has more than \(Inflater.streamsMax) streams")
            }
            guard inflateReset(stream) == Z_OK else { throw .internalError("zlib could not reset an inflater") }
        }
        return false
    }

    /// Decompresses until the input is used up (`Z_OK`) or the stream ends (`Z_STREAM_END`).
    private func step(_ run: inout Run) throws(WebSocketError) -> Int32 {
        while true {
            if run.chunkCount == chunk.count { appendChunk(to: &run) }
            let room = UnsafeMutableRawBufferPointer(rebasing: chunk[run.chunkCount...])
            stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(room.count)
            let status = CGoHubZlib.inflate(stream, Z_SYNC_FLUSH)
            let made = room.count - Int(stream.pointee.avail_out)
            run.chunkCount += made
            guard run.chunkCount <= run.bytesMax - run.spilled.count else {
                throw .tooBig("a compressed message is longer than \(run.bytesMax) bytes")
            }
            if run.isText, !run.utf8.accept(UnsafeRawBufferPointer(rebasing: room[..<made])) {
                throw .invalidPayload("a text message is not UTF-8")
            }
            switch status {
            case Z_STREAM_END: return status
            case Z_OK, Z_BUF_ERROR:
                // A full chunk may hide output inside zlib; otherwise it has returned everything.
                if stream.pointee.avail_out > 0 { return Z_OK }
            case Z_MEM_ERROR: throw .internalError("zlib ran out of memory")
            default: throw .invalidPayload("a compressed message is damaged")
            }
        }
    }
}

/// Compresses messages for permessage-deflate (RFC 7692, section 7.2.1), each independently: the bytes of a message are
/// the same for all connections with the extension, so that a broadcast is compressed once.
final class Deflater {
    /// On the heap, because zlib keeps its address.
    private let stream: UnsafeMutablePointer<z_stream>
    private let payloadBytesMin: Int
    /// Kept from message to message, up to `outputBytesKept`.
    private var output: [UInt8] = []
    private static let outputBytesKept = 64 * 1024

    /// - Parameter initial: may have custom allocation functions.
    /// - Throws: 1011 if zlib can't allocate its state.
    init(_ configuration: DeflateConfiguration, _ initial: z_stream = z_stream()) throws(WebSocketError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: initial)
        payloadBytesMin = configuration.payloadBytesMin
        let status = deflateInit2_(
            stream, Int32(configuration.level), Z_DEFLATED, -Int32(configuration.windowBits), 8, Z_DEFAULT_STRATEGY,
            ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        // `deinit` frees the existing state.
        guard status == Z_OK else { throw .internalError("zlib could not set up a deflater (status \(status))") }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Appends one frame: compressed with RSV1 set, or uncompressed if that is shorter (RFC 7692, section 6).
    ///
    /// - Throws: 1011 if zlib fails; nothing was appended then.
    func appendFrame(
        _ payload: UnsafeRawBufferPointer, opcode: Opcode, to frames: inout [UInt8]
    ) throws(WebSocketError) {
        guard !opcode.isControl, payload.count >= payloadBytesMin, payload.count <= 1 << 30 else {
            return FrameEncoder.append(payload, opcode: opcode, to: &frames)
        }
        let count = try compress(payload)
        if count < payload.count {
            output.withUnsafeBytes {
                FrameEncoder.append(
                    UnsafeRawBufferPointer(rebasing: $0[..<count]), opcode: opcode, isCompressed: true, to: &frames)
            }
        } else {
            FrameEncoder.append(payload, opcode: opcode, to: &frames)
        }
        if output.count > Deflater.outputBytesKept { output = [] }
    }

    /// Compresses into `output`; returns the size of the message in it.
    private func compress(_ payload: UnsafeRawBufferPointer) throws(WebSocketError) -> Int {
        guard let start = payload.bindMemory(to: UInt8.self).baseAddress, deflateReset(stream) == Z_OK else {
            throw .internalError("zlib could not reset a deflater")
        }
        // The bound applies to one call with Z_FINISH; a sync flush adds its marker to it. A sync flush is complete
        // only if space is left, hence the spare bytes.
        let bound = Int(deflateBound(stream, UInt(payload.count))) + 16
        if output.count < bound { output = [UInt8](repeating: 0, count: bound) }
        let (status, left) = output.withUnsafeMutableBufferPointer { (room) -> (Int32, Int) in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
            stream.pointee.avail_in = UInt32(payload.count)
            stream.pointee.next_out = room.baseAddress
            stream.pointee.avail_out = UInt32(clamping: room.count)
            return (deflate(stream, Z_SYNC_FLUSH), Int(stream.pointee.avail_out))
        }
        let made = output.count - left
        guard status == Z_OK, stream.pointee.avail_in == 0, left > 0, made > syncTail.count,
            output[made - syncTail.count..<made].elementsEqual(syncTail)
        else { throw .internalError("zlib could not compress a message (status \(status))") }
        return made - syncTail.count
    }
}
