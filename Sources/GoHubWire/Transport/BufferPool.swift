/// Empty buffers of one loop, for reuse: the bytes of a turn for a room or a client need memory until they are sent,
/// and an idle connection should hold none.
struct BufferPool {
    private static let buffersMax = 16
    /// A larger one is returned to the system.
    private static let bytesMax = 16 * 1024

    private var buffers: [[UInt8]] = []

    mutating func take() -> [UInt8] {
        buffers.popLast() ?? []
    }

    /// Takes a buffer. One that is also held elsewhere stays there.
    mutating func give(_ buffer: inout [UInt8]) {
        if buffers.count < Self.buffersMax, buffer.capacity <= Self.bytesMax {
            buffer.removeAll(keepingCapacity: true)
            buffers.append(buffer)
        }
        buffer = []
    }
}
