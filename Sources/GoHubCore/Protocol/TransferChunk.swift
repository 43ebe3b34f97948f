/// A binary message of a client: a part of an upload.
///
/// ```
/// 0        4                 12
/// ├────────┼──────────────────┼────────────
/// │transfer│      offset      │ payload …        big-endian
/// ```
struct TransferChunk {
    let transfer: UInt32
    /// Where the payload belongs in the file.
    let offset: UInt64
    /// At least one byte, of the message's own memory: valid as long as that is, for the call in which it came.
    let payload: UnsafeRawBufferPointer

    static let headerBytes = 12

    /// - Returns: `nil` for a message that has no payload.
    init?(_ message: UnsafeRawBufferPointer) {
        guard message.count > Self.headerBytes else { return nil }
        transfer = message.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        offset = message[4..<Self.headerBytes].reduce(0) { $0 << 8 | UInt64($1) }
        payload = UnsafeRawBufferPointer(rebasing: message[Self.headerBytes...])
    }
}
