internal import Glibc
internal import GoHubSystem
public import Logging

/// Where the program is that looks at images.
public enum PreviewHelper {
    /// The name of its program.
    public static let name = "gohub-preview"

    /// - Parameter configured: its path; without one the program beside this process' own is meant.
    /// - Returns: `nil`, and the reason in the log, when it can't be run.
    public static func locate(configured: String?, logger: Logger) -> String? {
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

    /// Directories may be "executed", too, so that `access` alone takes them for programs.
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
        // Writes no more than the array has, says how much, and puts no zero behind it.
        let count = readlink("/proc/self/exe", &path, path.count)
        return String(decoding: path[..<max(0, count)], as: UTF8.self)
    }
}
