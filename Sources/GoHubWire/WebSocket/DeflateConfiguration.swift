/// How this server compresses. The same for all connections, since a broadcast is compressed once for all.
struct DeflateConfiguration: Sendable, Equatable {
    /// Base-2 logarithm of the server's window, 9–15. zlib has no raw DEFLATE with a window of 8 bits, which is why a
    /// client that asks for one isn't given compression.
    let windowBits: UInt8
    /// zlib's level, 1 (fast) – 9 (small).
    let level: UInt8
    /// Shorter payloads are sent as they are: the marker and the lost time outweigh what is saved.
    let payloadBytesMin: Int

    /// Values out of range are moved to the nearest in range.
    init(windowBits: Int = 15, level: Int = 1, payloadBytesMin: Int = 128) {
        self.windowBits = UInt8(min(max(windowBits, 9), 15))
        self.level = UInt8(min(max(level, 1), 9))
        self.payloadBytesMin = max(payloadBytesMin, 1)
    }
}
