/// Emptied buffers of one loop, to be used again: what a turn gathers for a room or a client needs memory until it is
/// sent, and an idle connection should hold none.
struct BufferPool {
    private static let buffersMax = 16
    /// A larger one is given back to the system.
    private static let bytesMax = 16 * 1024

    private var buffers: [[UInt8]] = []

    mutating func take() -> [UInt8] {
        buffers.popLast() ?? []
    }

    /// Takes a buffer over. One that somebody else holds too stays theirs.
    mutating func give(_ buffer: inout [UInt8]) {
        if buffers.count < Self.buffersMax, buffer.capacity <= Self.bytesMax {
            buffer.removeAll(keepingCapacity: true)
            buffers.append(buffer)
        }
        buffer = []
    }
}
