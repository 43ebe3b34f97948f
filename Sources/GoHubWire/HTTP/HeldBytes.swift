/// What clients of a loop have sent of requests that aren't on their way to the server yet, all together.
///
/// Belongs to the loop's thread.
final class HeldBytesLedger {
    fileprivate(set) var bytes = 0
    let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }
}

/// What one client has sent of requests that aren't on their way yet: the beginning of a head, or what it sent behind a
/// request that is being served.
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

    /// - Returns: whether there is room for them.
    func append(_ new: UnsafeRawBufferPointer) -> Bool {
        guard ledger.bytes + new.count <= ledger.bytesMax else { return false }
        bytes.append(contentsOf: new)
        ledger.bytes += new.count
        return true
    }

    /// What is left is moved to the front: it is less than a head.
    func removeFirst(_ count: Int) {
        ledger.bytes -= count
        if count == bytes.count { bytes = [] } else { bytes.removeFirst(count) }
    }

    /// The pointer is valid during the call, in which nothing may be added or removed.
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        // `withUnsafeBytes` doesn't pass on the type of an error.
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(Failure) in try body(buffer) }
        }
        return try result.get()
    }
}
