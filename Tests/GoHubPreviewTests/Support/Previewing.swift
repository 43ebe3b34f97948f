import GoHubCore
import GoHubStore
import GoHubTestSupport
import Logging

@testable import GoHubPreviews

extension PreviewSettings {
    /// The defaults, with a deadline that no helper reaches by accident, even on a busy machine.
    static func make(_ change: (inout PreviewSettings) -> Void = { _ in }) -> PreviewSettings {
        var settings = PreviewSettings()
        settings.deadline = .seconds(120)
        change(&settings)
        return settings
    }
}

extension ImagePreviewer {
    /// For an image whose owner doesn't matter.
    func preview(of descriptor: Int32, format: ImageFormat) async -> Result<ImagePreview, ImagePreviewFailure> {
        await preview(of: descriptor, format: format, for: .named("somebody"))
    }
}

extension UserKey {
    static func named(_ name: String) -> UserKey { UserKey(tenant: .standard, user: .named(name)) }
}

/// Passes a previewer to a function, and stops it afterwards.
///
/// - Parameters:
///   - helper: the program, by default the one that was built.
///   - now: the clock for waiting images.
func withPreviewer<Answer>(
    helper: String? = nil, logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    now: @escaping @Sendable () -> MonotonicTime = { .now() },
    _ change: (inout PreviewSettings) -> Void = { _ in },
    _ body: (ImagePreviewer) async throws -> Answer
) async throws -> Answer {
    let previewer = try ImagePreviewer(.make(change), helper: helper ?? helperPath(), logger: logger, now: now)
    let result: Result<Answer, any Error>
    do {
        result = .success(try await body(previewer))
    } catch {
        result = .failure(error)
    }
    await previewer.shutDown()
    return try result.get()
}
