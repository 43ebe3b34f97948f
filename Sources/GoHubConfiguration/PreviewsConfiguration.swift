package import GoHubCore
internal import GoHubPreviewExchange

/// Whether and how previews of images are made.
package struct PreviewsConfiguration: Sendable {
    package var isEnabled: Bool
    /// The helper's path; `nil`: beside gohubd's own program.
    package var helper: String?
    package var pixelsMax: Int
    /// How long an image may wait for a helper; and once more, from the start of that to the end of its answer.
    package var deadline: Milliseconds
    /// What one image may take, beyond the helper's program.
    package var memoryBytesMax: Int
    package var processesMax: Int
    /// Images that wait for a process.
    package var waitingMax: Int
    /// Of those, images of one user.
    package var userWaitingMax: Int

    /// - Throws: `ConfigurationError` when previews are made and images of the size that is allowed don't fit into the
    ///   memory.
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
