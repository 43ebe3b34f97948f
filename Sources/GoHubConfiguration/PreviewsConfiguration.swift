package import GoHubCore
internal import GoHubPreviewExchange

/// The configuration of image previews.
package struct PreviewsConfiguration: Sendable {
    package var isEnabled: Bool
    /// The helper's path; `nil`: beside gohubd's own program.
    package var helper: String?
    /// The maximum pixels of an image; larger images get no preview.
    package var pixelsMax: Int
    /// The time limit for waiting for a helper, and again for its run.
    package var deadline: Milliseconds
    /// Bytes of memory for one image, beyond the helper's program.
    package var memoryBytesMax: Int
    /// Helpers at a time.
    package var processesMax: Int
    /// Images that wait for a process.
    package var waitingMax: Int
    /// Waiting images of one user.
    package var userWaitingMax: Int

    /// - Throws: `ConfigurationError` when previews are on and images of the allowed size don't fit into the memory.
    package init(_ values: ConfigurationValues) throws(ConfigurationError) {
        isEnabled = values.flag(.previewsEnabled)
        helper = values.text(.previewsHelper)
        pixelsMax = values.integer(.previewsPixelsMax)
        deadline = values.milliseconds(.previewsDeadlineMs)
        memoryBytesMax = values.integer(.previewsMemoryBytesMax)
        processesMax = values.integer(.previewsProcessesMax)
        waitingMax = values.integer(.previewsWaitingMax)
        userWaitingMax = values.integer(.previewsUserWaitingMax)
        let least = PreviewBounds.leastMemoryBytes(pixelsMax: pixelsMax)
        guard !isEnabled || memoryBytesMax >= least else {
            throw ConfigurationError(
                "previews.memoryBytesMax (\(memoryBytesMax)) must be at least \(least) for images of "
                    + "previews.pixelsMax (\(pixelsMax)) pixels.")
        }
    }
}
