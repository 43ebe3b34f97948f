extension Event {
    /// An upload's offset and credit.
    public struct TransferProgress: Hashable, Sendable {
        public let transfer: UInt32
        /// The number of bytes stored.
        public let offset: UInt64
        /// Bytes may be sent up to `offset + credit`.
        public let credit: UInt64
    }
}
