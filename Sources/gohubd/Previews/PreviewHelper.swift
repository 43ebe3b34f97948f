internal import Glibc
internal import GoHubSystem
internal import Logging

/// Where the program is that looks at images.
enum PreviewHelper {
    static let name = "gohub-preview"

    /// - Parameter configured: `previews.helper`; without it the program beside the hub's own is meant.
    /// - Returns: `nil`, and the reason in the log, when it can't be run.
    static func locate(configured: String?, logger: Logger) -> String? {
        let path = configured ?? beside(program())
        guard !isProgram(path) else { return path }
        let advice =
            configured == nil
            ? "put it there (swift build --product \(name) makes it), name it in previews.helper"
            : "correct previews.helper"
        logger.warning(
            "previews of images are off: there is no program at \(path); \(advice), or set previews.enabled to false")
        return nil
    }

    /// - Throws: `ConfigurationError` for a `previews.helper` that can't be run. Without that setting a program that
    ///   isn't there is no mistake: the hub runs without previews.
    static func check(_ configuration: PreviewsConfiguration) throws(ConfigurationError) {
        guard configuration.isEnabled, let path = configuration.helper, !isProgram(path) else { return }
        throw ConfigurationError("previews.helper: there is no program at \(path) that this user can run.")
    }

    /// Directories may be "executed", too, so that `access` alone takes them for programs.
    private static func isProgram(_ path: String) -> Bool {
        guard access(path, X_OK) == 0 else { return false }
        let directory = try? OwnedDescriptor("open") { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        return directory == nil
    }

    private static func beside(_ program: String) -> String {
        guard let slash = program.lastIndex(of: "/") else { return name }
        return program[...slash] + name
    }

    /// The file that this process runs (proc(5)), however it was named on the command line.
    private static func program() -> String {
        var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
        // Writes no more than the array has, says how much, and puts no zero behind it.
        let count = readlink("/proc/self/exe", &path, path.count)
        return String(decoding: path[..<max(0, count)], as: UTF8.self)
    }
}
