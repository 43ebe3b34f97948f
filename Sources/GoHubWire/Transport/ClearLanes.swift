/// Into which connections of a loop a room's frames may go straight away: those of open WebSockets without compression
/// that have nothing before them.
///
/// A byte for each descriptor, and the TLS of those that have it, so that a walk through a thousand subscribers reads a
/// few lines of memory instead of four of each connection, which the kernel's own work has pushed out of the cache since
/// the last walk.
final class ClearLanes {
    private var isClear: ContiguousArray<Bool> = []
    /// Of the lanes that are clear; shorter where none has TLS.
    private var engines: ContiguousArray<TLSEngine?> = []

    /// False for a descriptor that nothing was said of.
    subscript(descriptor: Int32) -> Bool {
        let index = Int(descriptor)
        return index < isClear.count && isClear[index]
    }

    /// What a clear lane's frames are encrypted by; nil where they go as they are.
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
