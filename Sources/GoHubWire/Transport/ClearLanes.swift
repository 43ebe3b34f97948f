/// Into which sockets of a loop a room's frames may go straight away: those of open, plain WebSockets with nothing before
/// them.
///
/// A byte for each descriptor, so that a walk through a thousand subscribers reads a few lines of memory instead of four
/// of each connection, which the kernel's own work has pushed out of the cache since the last walk.
final class ClearLanes {
    private var isClear: ContiguousArray<Bool> = []

    /// False for a descriptor that nothing was said of.
    subscript(descriptor: Int32) -> Bool {
        get {
            let index = Int(descriptor)
            return index < isClear.count && isClear[index]
        }
        set {
            let index = Int(descriptor)
            if index >= isClear.count {
                guard newValue else { return }
                isClear += repeatElement(false, count: max(index + 1 - isClear.count, isClear.count))
            }
            isClear[index] = newValue
        }
    }
}
