/// A binary message of a client: a part of an upload.
///
/// ```
/// 0        4                 12
/// ├────────┼──────────────────┼────────────
/// │transfer│      offset      │ payload …        big-endian
/// ```
struct TransferChunk {
    let transfer: UInt32
    /// The offset of the payload in the file.
    let offset: UInt64
    /// At least one byte, in the message's own memory: valid for the call that received it.
    let payload: UnsafeRawBufferPointer

    static let headerBytes = 12

    /// - Returns: `nil` for a message without payload.
    init?(_ message: UnsafeRawBufferPointer) {
        guard message.count > Self.headerBytes else { return nil }
        transfer = message.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        offset = message[4..<Self.headerBytes].reduce(0) { $0 << 8 | UInt64($1) }
        payload = UnsafeRawBufferPointer(rebasing: message[Self.headerBytes...])
    }
}
