internal import GoHubCore
internal import GoHubSystem

extension WakeupDescriptor {
    /// - Returns: whether the other descriptor is ready, possibly with an error.
    @discardableResult
    func wait(_ time: Milliseconds, or other: Int32 = -1, events: Int32 = 0) -> Bool {
        wait(milliseconds: time.value, or: other, events: events)
    }
}
