internal import GoHubConfiguration
internal import GoHubPreviews
internal import Logging

extension ImagePreviewer {
    /// - Returns: `nil` when previews are off or impossible; then the log says what to do.
    static func start(_ configuration: PreviewsConfiguration, logger: Logger) throws(StartError) -> ImagePreviewer? {
        guard configuration.isEnabled,
            let helper = PreviewHelper.locate(configured: configuration.helper, logger: logger)
        else { return nil }
        do throws(PreviewError) {
            return try ImagePreviewer(PreviewSettings(configuration), helper: helper, logger: logger)
        } catch {
            throw StartError("\(error)", underlying: error)
        }
    }
}

extension PreviewSettings {
    init(_ configuration: PreviewsConfiguration) {
        self.init()
        pixelsMax = configuration.pixelsMax
        deadline = configuration.deadline
        memoryBytesMax = configuration.memoryBytesMax
        processesMax = configuration.processesMax
        waitingMax = configuration.waitingMax
        userWaitingMax = configuration.userWaitingMax
    }
}

extension PreviewHelper {
    /// - Throws: `ConfigurationError` for a `previews.helper` that can't be run. Without that setting a missing program
    ///   is no error: the hub runs without previews.
    static func check(_ configuration: PreviewsConfiguration) throws(ConfigurationError) {
        guard configuration.isEnabled, let path = configuration.helper, !isProgram(path) else { return }
        throw ConfigurationError("previews.helper: there is no program at \(path) that this user can run.")
    }
}
