internal import Glibc
internal import GoHubSystem
public import Logging

/// The location of the preview helper's program.
public enum PreviewHelper {
    /// The name of its program.
    public static let name = "gohub-preview"

    /// - Parameters:
    ///   - configured: the helper's path; `nil` means the program beside this process' own.
    ///   - logger: receives the reason when the helper can't be run.
    /// - Returns: `nil`, with the reason in the log, when it can't be run.
    public static func locate(configured: String?, logger: Logger) -> String? {
        let path = configured ?? beside(program())
        guard !isProgram(path) else { return path }
        let advice =
            configured == nil
            ? "Install it there (swift build --product \(name) builds it), set previews.helper to its path"
            : "Correct previews.helper"
        logger.warning(
            "Image previews are off: there is no program at \(path). \(advice), or set previews.enabled to false.")
        return nil
    }

    /// Directories may be "executed", too, so `access` alone would accept them as programs.
    package static func isProgram(_ path: String) -> Bool {
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
        // Writes at most the size of the array, returns the length, and adds no zero.
        let count = readlink("/proc/self/exe", &path, path.count)
        return String(decoding: path[..<max(0, count)], as: UTF8.self)
    }
}
