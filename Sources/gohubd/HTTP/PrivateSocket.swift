internal import Glibc
internal import GoHubSystem

/// A Unix socket that only this user can reach: in a folder of its own.
///
/// (An abstract socket would leave nothing behind, but every user of the machine could connect to it.)
final class PrivateSocket: Sendable {
    let path: String
    private let folder: LockedFolder

    private static let socketName = "http"

    /// - Parameter parent: where the folder is made.
    /// - Throws: `StartError` when no folder can be made.
    init(in parent: String = PrivateSocket.parent()) throws(StartError) {
        do throws(SystemError) {
            folder = try LockedFolder(in: parent, prefix: "gohubd-\(geteuid())-") { dead, _ in
                // A folder that holds more stays.
                unlinkat(dead, Self.socketName, 0)
            }
        } catch {
            throw StartError(
                "Cannot create a directory for the HTTP socket in \(parent) (\(error)). Set TMPDIR to a directory that "
                    + "this user can write to.",
                underlying: error)
        }
        path = "\(folder.path)/\(Self.socketName)"
    }

    /// Takes the socket and its folder away again.
    func remove() {
        unlink(path)
        rmdir(folder.path)
    }

    /// A socket's path has at most 107 bytes, of which 29 are ours: a longer TMPDIR can't be used.
    static func parent() -> String {
        guard let text = getenv("TMPDIR") else { return "/tmp" }
        let path = String(cString: text)
        return path.isEmpty || path.utf8.count > 76 ? "/tmp" : path
    }
}
