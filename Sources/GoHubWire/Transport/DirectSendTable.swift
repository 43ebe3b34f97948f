internal import GoHubTLS

/// Connections that can take a room's frames with a direct `send`: open, uncompressed, nothing queued.
///
/// One byte per descriptor, and the TLS engine of those that have one, so that a walk over a thousand subscribers reads
/// a few cache lines instead of four of each connection, which the kernel's work has evicted since the last walk.
final class DirectSendTable {
    private var isClear: ContiguousArray<Bool> = []
    /// Engines by descriptor; shorter if none has TLS.
    private var engines: ContiguousArray<TLSEngine?> = []

    /// False for an unknown descriptor.
    subscript(descriptor: Int32) -> Bool {
        let index = Int(descriptor)
        return index < isClear.count && isClear[index]
    }

    /// The engine that encrypts a direct send's frames; `nil` for plain connections.
    func tls(_ descriptor: Int32) -> TLSEngine? {
        let index = Int(descriptor)
        return index < engines.count ? engines[index] : nil
    }

    func clear(_ descriptor: Int32, tls: TLSEngine?) {
        let index = Int(descriptor)
        isClear.set(true, at: index, filling: false)
        if let tls { engines.set(tls, at: index, filling: nil) }
    }

    func block(_ descriptor: Int32) {
        let index = Int(descriptor)
        guard index < isClear.count, isClear[index] else { return }
        isClear[index] = false
        if index < engines.count { engines[index] = nil }
    }
}

extension ContiguousArray {
    fileprivate mutating func set(_ element: Element, at index: Int, filling gap: Element) {
        if index >= count { self += repeatElement(gap, count: Swift.max(index + 1 - count, count)) }
        self[index] = element
    }
}
