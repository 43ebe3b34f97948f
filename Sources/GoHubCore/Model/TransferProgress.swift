/// How far an upload is, and how many bytes beyond that its client may have sent.
public struct TransferProgress: Hashable, Sendable {
    public let transfer: UInt32
    /// How many bytes are stored.
    public let offset: UInt64
    /// Bytes may be sent up to `offset + credit`.
    public let credit: UInt64
}
