public import GoHubCore
internal import GoHubPreviewExchange

/// How much previews of images may cost.
public struct PreviewSettings: Hashable, Sendable {
    /// Pixels of an image; one with more has no preview.
    public var pixelsMax = PreviewDefaults.pixelsMax
    /// The time limit for waiting for a helper, and again for its run.
    public var deadline = Milliseconds(UInt64(PreviewDefaults.deadlineMilliseconds))
    /// Bytes of memory that one image may take, beyond the helper's program: at least `leastMemoryBytes`.
    public var memoryBytesMax = PreviewDefaults.memoryBytesMax
    /// Helpers at a time, and threads that wait for them; 1 or more.
    public var processesMax = PreviewDefaults.processesMax
    /// Images that wait for a process.
    public var waitingMax = PreviewDefaults.waitingMax
    /// Waiting images of one user.
    public var userWaitingMax = PreviewDefaults.userWaitingMax

    /// As the daemon has them, where nobody sets them.
    public init() {}

    /// What an image of `pixelsMax` pixels needs.
    public var leastMemoryBytes: Int { PreviewBounds.leastMemoryBytes(pixelsMax: pixelsMax) }

    /// The helper's order for an image.
    func order(for format: ImageFormat) -> PreviewOrder {
        // Elapsed time is never less than processor time, so the deadline comes first unless the helper outlives the
        // hub.
        PreviewOrder(
            format: format.rawValue, pixelsMax: pixelsMax, memoryBytesMax: memoryBytesMax,
            cpuSecondsMax: Int(clamping: deadline.value / 1000) + 1)
    }
}
