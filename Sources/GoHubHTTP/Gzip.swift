internal import CGoHubZlib

/// Compresses frequently served files (RFC 1952).
enum Gzip {
    /// `nil` if zlib is out of memory.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        // zlib keeps the stream's address, so it needs a stable one.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // Adding 16 to the window bits requests gzip's own header and trailer.
        let status = deflateInit2_(
            stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { return nil }
        defer { deflateEnd(stream) }
        let bytesMax = Int(deflateBound(stream, uLong(bytes.count)))
        guard let inputCount = UInt32(exactly: bytes.count), let outputCount = UInt32(exactly: bytesMax) else {
            return nil
        }
        var input = bytes
        var isDone = false
        let output = [UInt8](unsafeUninitializedCapacity: bytesMax) { output, count in
            // Both buffers outlive the call, and zlib writes no further than allowed.
            input.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress
                stream.pointee.avail_in = inputCount
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = outputCount
                isDone = deflate(stream, Z_FINISH) == Z_STREAM_END
            }
            count = bytesMax - Int(stream.pointee.avail_out)
        }
        return isDone ? output : nil
    }
}
