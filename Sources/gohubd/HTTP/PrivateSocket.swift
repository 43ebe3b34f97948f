internal import Glibc

/// A Unix socket that only this user can reach: in a directory of its own, made afresh with mode 0700.
///
/// The directory is locked while its hub lives, and the system takes the lock back however a hub ends. So the next one
/// finds the directories of those that were killed, and removes them. (An abstract socket would leave nothing behind, but
/// every user of the machine could connect to it.)
final class PrivateSocket: Sendable {
    let path: String
    private let directory: String
    private let lock: Int32

    /// With the user, so that root finds its own only; who may not write into others' directories can't remove them anyway.
    private static let prefix = "gohubd-\(geteuid())-"
    private static let socketName = "http"
    /// Of a start: one that makes a directory may lose it to another that looks for dead ones at that moment.
    private static let attemptsMax = 10
    /// Names of the parent that a start looks at.
    private static let namesMax = 100_000

    /// - Parameter parent: where the directory is made.
    /// - Throws: `StartError` when no directory can be made.
    init(in parent: String = PrivateSocket.parent()) throws(StartError) {
        Self.removeDead(in: parent)
        for _ in 0..<Self.attemptsMax {
            var template = Array("\(parent)/\(Self.prefix)XXXXXX".utf8CString)
            // `mkdtemp` writes over the X, inside the array and its terminating zero, and makes the directory 0700.
            guard mkdtemp(&template) != nil else { break }
            let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard let lock = Self.locked(directory) else { continue }
            (self.directory, self.lock, path) = (directory, lock, "\(directory)/\(Self.socketName)")
            return
        }
        throw StartError(
            "cannot make a directory for the HTTP socket in \(parent) (error \(errno) of the system); set TMPDIR "
                + "to a directory that this user can write to")
    }

    deinit {
        close(lock)
    }

    /// Takes the socket and its directory away again.
    func remove() {
        unlink(path)
        rmdir(directory)
    }

    /// A socket's path has at most 107 bytes, of which 29 are ours: a longer TMPDIR can't be used.
    static func parent() -> String {
        guard let text = getenv("TMPDIR") else { return "/tmp" }
        let path = String(cString: text)
        return path.isEmpty || path.utf8.count > 76 ? "/tmp" : path
    }

    /// A descriptor that holds the lock of a new directory; `nil` when another start was quicker, and removes it.
    private static func locked(_ directory: String) -> Int32? {
        let lock = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard lock >= 0 else { return nil }
        // A file system that can't lock keeps others from locking it, too: then it isn't removed.
        let isOthers = flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
        // From here on nobody removes it.
        guard !isOthers, access(directory, F_OK) == 0 else {
            close(lock)
            return nil
        }
        return lock
    }

    /// Removes what this user's hubs have left that were killed.
    private static func removeDead(in parent: String) {
        guard let names = opendir(parent) else { return }
        defer { closedir(names) }
        for _ in 0..<namesMax {
            guard let entry = readdir(names) else { return }
            // `readdir` ends a name with a zero inside of the entry, which is valid until the next call.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(prefix) { removeIfDead(name, in: dirfd(names)) }
        }
    }

    /// What isn't a directory isn't followed, and one that holds more than the socket stays.
    private static func removeIfDead(_ name: String, in parent: Int32) {
        let directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else { return }
        defer { close(directory) }
        guard flock(directory, LOCK_EX | LOCK_NB) == 0 else { return }
        // While we hold the lock nobody else removes it, so that its name is still this directory's.
        unlinkat(directory, socketName, 0)
        unlinkat(parent, name, AT_REMOVEDIR)
    }
}
