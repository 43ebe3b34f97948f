extension Event {
    /// An upload's offset and credit.
    public struct TransferProgress: Hashable, Sendable {
        /// The number of the upload in its session, from 1.
        public let transfer: UInt32
        /// The number of bytes of the file that are stored.
        public let offset: UInt64
        /// In bytes. The client may send the bytes up to `offset + credit`; at most `Limits.transferWindowBytes`.
        public let credit: UInt64
    }
}
