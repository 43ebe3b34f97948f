internal import GoHubCore
internal import GoHubPreviewExchange

/// Whether and how previews of images are made.
struct PreviewsConfiguration: Sendable {
    var isEnabled: Bool
    /// The helper's path; `nil`: beside gohubd's own program.
    var helper: String?
    var pixelsMax: Int
    /// How long an image may wait for a helper; and once more, from the start of that to the end of its answer.
    var deadline: Milliseconds
    /// What one image may take, beyond the helper's program.
    var memoryBytesMax: Int
    var processesMax: Int
    /// Images that wait for a process.
    var waitingMax: Int
    /// Of those, images of one user.
    var userWaitingMax: Int

    /// - Throws: `ConfigurationError` when previews are made and images of the size that is allowed don't fit into the
    ///   memory.
    init(_ values: ConfigurationValues) throws(ConfigurationError) {
        isEnabled = values.flag(.previewsEnabled)
        helper = values.text(.previewsHelper)
        pixelsMax = values.integer(.previewsPixelsMax)
        deadline = values.milliseconds(.previewsDeadlineMs)
        memoryBytesMax = values.integer(.previewsMemoryBytesMax)
        processesMax = values.integer(.previewsProcessesMax)
        waitingMax = values.integer(.previewsWaitingMax)
        userWaitingMax = values.integer(.previewsUserWaitingMax)
        let least =
            pixelsMax * PreviewBounds.bytesPerPixel + PreviewBounds.fileBytesMax + PreviewBounds.spareBytes
        guard !isEnabled || memoryBytesMax >= least else {
            throw ConfigurationError(
                "previews.memoryBytesMax (\(memoryBytesMax)) must be at least \(least) for images of "
                    + "previews.pixelsMax (\(pixelsMax)) pixels.")
        }
    }

    /// What the helper is told of an image.
    func order(for format: ImageFormat) -> PreviewOrder {
        // The time on a clock is never less than that on the processor, so the deadline comes first unless the helper
        // outlives the hub.
        PreviewOrder(
            format: format.rawValue, pixelsMax: pixelsMax, memoryBytesMax: memoryBytesMax,
            cpuSecondsMax: Int(clamping: deadline.value / 1000) + 1)
    }
}
