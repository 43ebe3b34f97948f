/// The total bytes held by a loop's clients for requests that haven't been forwarded yet.
///
/// Belongs to the loop's thread.
final class HeldBytesLedger {
    fileprivate(set) var bytes = 0
    let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }
}

/// The bytes of one client for requests that haven't been forwarded yet: the beginning of a head, or bytes behind the
/// current request.
final class HeldBytes {
    private var bytes: [UInt8] = []
    private let ledger: HeldBytesLedger

    init(_ ledger: HeldBytesLedger) {
        self.ledger = ledger
    }

    deinit {
        ledger.bytes -= bytes.count
    }

    var count: Int { bytes.count }
    var isEmpty: Bool { bytes.isEmpty }

    /// - Returns: whether there was space for them.
    func append(_ new: UnsafeRawBufferPointer) -> Bool {
        guard ledger.bytes + new.count <= ledger.bytesMax else { return false }
        bytes.append(contentsOf: new)
        ledger.bytes += new.count
        return true
    }

    /// The rest is moved to the front: it is shorter than a head.
    func removeFirst(_ count: Int) {
        ledger.bytes -= count
        if count == bytes.count { bytes = [] } else { bytes.removeFirst(count) }
    }

    /// The pointer is valid during the call, in which nothing may be added or removed.
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        // `withUnsafeBytes` doesn't rethrow the type of an error.
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(Failure) in try body(buffer) }
        }
        return try result.get()
    }
}
