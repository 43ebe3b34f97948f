/// The server's compression settings. The same for all connections, because a broadcast is compressed once for all.
struct DeflateConfiguration: Sendable, Equatable {
    /// Base-2 logarithm of the server's window, 9–15. zlib has no raw DEFLATE with a window of 8 bits, so a client that
    /// asks for one gets no compression.
    let windowBits: UInt8
    /// zlib's level, 1 (fast) – 9 (small).
    let level: UInt8
    /// Shorter payloads are sent uncompressed: the marker and the time outweigh the saving.
    let payloadBytesMin: Int

    /// Values out of range are clamped.
    init(windowBits: Int = 15, level: Int = 1, payloadBytesMin: Int = 128) {
        self.windowBits = UInt8(min(max(windowBits, 9), 15))
        self.level = UInt8(min(max(level, 1), 9))
        self.payloadBytesMin = max(payloadBytesMin, 1)
    }
}
