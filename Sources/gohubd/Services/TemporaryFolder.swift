internal import Glibc
internal import GoHubStore

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A folder that goes with the process; one of a process that was killed goes with the next start, as `PrivateSocket`'s.
final class TemporaryFolder: Sendable {
    let path: String
    private let lock: Int32

    private static let prefix = "gohubd-files-\(geteuid())-"
    private static let attemptsMax = 10

    /// - Throws: `StartError` when none can be made.
    init(in parent: String = PrivateSocket.parent()) throws(StartError) {
        Self.removeDead(in: parent)
        for _ in 0..<Self.attemptsMax {
            var template = Array("\(parent)/\(Self.prefix)XXXXXX".utf8CString)
            // `mkdtemp` writes over the X, inside the array and its terminating zero, and makes the directory 0700.
            guard mkdtemp(&template) != nil else { break }
            let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            let lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            // Another start may take it for a dead one's, at just this moment; from the lock on it doesn't.
            if lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0, access(path, F_OK) == 0 {
                (self.path, self.lock) = (path, lock)
                return
            }
            close(lock)
        }
        throw StartError(
            "cannot make a folder for files in \(parent) (error \(errno) of the system); set files.path, or TMPDIR to a "
                + "directory that this user can write to")
    }

    deinit {
        close(lock)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func removeDead(in parent: String) {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: parent) else { return }
        for name in names where name.hasPrefix(prefix) {
            let path = "\(parent)/\(name)"
            let folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard folder >= 0 else { continue }
            defer { close(folder) }
            // While we hold the lock nobody else removes it. Everybody can make a folder of our name in /tmp, and what is
            // removed is found by its path: who may rename that folder, or what is in it, would choose what goes.
            guard flock(folder, LOCK_EX | LOCK_NB) == 0, isPrivateFolder(folder) else { continue }
            try? FileManager.default.removeItem(atPath: path)
        }
    }
}
