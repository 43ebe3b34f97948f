public import GoHubCore
internal import GoHubPreviewExchange
internal import GoHubStore

/// The limits on the cost of image previews.
public struct PreviewSettings: Hashable, Sendable {
    /// The maximum pixels of an image; larger images get no preview.
    public var pixelsMax = PreviewDefaults.pixelsMax
    /// The time limit for waiting for a helper, and again for its run.
    public var deadline = Milliseconds(UInt64(PreviewDefaults.deadlineMilliseconds))
    /// The maximum bytes of memory for one image, beyond the helper's program: at least `leastMemoryBytes`.
    public var memoryBytesMax = PreviewDefaults.memoryBytesMax
    /// The maximum number of helpers, and of threads that wait for them; 1 or more.
    public var processesMax = PreviewDefaults.processesMax
    /// The maximum number of images that wait for a process.
    public var waitingMax = PreviewDefaults.waitingMax
    /// The maximum number of waiting images of one user.
    public var userWaitingMax = PreviewDefaults.userWaitingMax

    /// Has the daemon's defaults.
    public init() {}

    /// The memory that an image of `pixelsMax` pixels needs.
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
