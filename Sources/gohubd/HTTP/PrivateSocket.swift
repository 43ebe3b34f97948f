internal import Glibc

/// A Unix socket that only this user can reach: in a directory of its own, made afresh with mode 0700.
final class PrivateSocket: Sendable {
    let path: String
    private let directory: String

    /// - Throws: `StartError` when no directory can be made.
    init() throws(StartError) {
        let parent = Self.parent()
        var template = Array("\(parent)/gohubd-XXXXXX".utf8CString)
        // `mkdtemp` writes over the X, inside the array and its terminating zero, and makes the directory 0700.
        guard mkdtemp(&template) != nil else {
            throw StartError(
                "cannot make a directory for the HTTP socket in \(parent) (error \(errno) of the system); set TMPDIR "
                    + "to a directory that this user can write to")
        }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        path = directory + "/http"
    }

    /// Takes the socket and its directory away again.
    func remove() {
        unlink(path)
        rmdir(directory)
    }

    /// A socket's path has at most 107 bytes: a longer TMPDIR can't be used.
    private static func parent() -> String {
        guard let text = getenv("TMPDIR") else { return "/tmp" }
        let path = String(cString: text)
        return path.isEmpty || path.utf8.count > 80 ? "/tmp" : path
    }
}
