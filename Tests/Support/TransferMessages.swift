/// A part of an upload, as the payload of a binary message: the transfer's number, the offset and the bytes.
public func transferChunk(_ transfer: UInt32, at offset: UInt64, _ bytes: some Collection<UInt8>) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: transfer >> (24 - 8 * $0)) }
        + (0..<8).map { UInt8(truncatingIfNeeded: offset >> (56 - 8 * $0)) } + bytes
}
