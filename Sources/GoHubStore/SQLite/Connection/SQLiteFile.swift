internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// The database's file: there is one, only its owner can read it, and only this process uses it.
///
/// The lock is a file of its own, `PATH-lock`, and not on the database: to close any descriptor of the database would
/// give up SQLite's own locks on it. The system takes it back when the process ends, however it does.
final class SQLiteFile: Sendable {
    /// Without symbolic links, so that two names of one file are one lock.
    let path: String
    private let lock: OwnedDescriptor

    init(path: String) throws(StoreError) {
        let full = try Self.resolve(path)
        lock = try OwnedDescriptor(orThrow: { Self.error(path, $0) }) { Self.openOrMake(full + "-lock") }
        self.path = full
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw errno == EWOULDBLOCK
                ? StoreError("\(path) is in use by another hub; stop it, or use another file")
                : StoreError("\(full)-lock can't be locked (\(systemErrorText(errno)))")
        }
        try Self.make(full)
    }

    /// A process that is just being started from this one shares the descriptor, until it becomes another program: so closing
    /// is not enough.
    deinit {
        flock(lock.rawValue, LOCK_UN)
    }

    /// Messages are nobody else's to read. SQLite gives its other files the mode of the database.
    private static func openOrMake(_ path: String) -> Int32 {
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o600)
    }

    private static func resolve(_ path: String) throws(StoreError) -> String {
        if let resolved = realpath(path) {
            var status = stat()
            guard stat(resolved, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                throw StoreError("\(path) is not a regular file")
            }
            return resolved
        }
        guard errno == ENOENT else { throw error(path, errno) }
        // Not there yet: its directory must be.
        let slash = path.lastIndex(of: "/")
        let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
        guard !name.isEmpty else { throw error(path, EISDIR) }
        guard let directory = realpath(slash.map { String(path[...$0]) } ?? ".") else { throw error(path, errno) }
        return directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }

    private static func realpath(_ path: String) -> String? {
        guard let resolved = Glibc.realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Makes the file if it isn't there.
    private static func make(_ path: String) throws(StoreError) {
        _ = try OwnedDescriptor(orThrow: { error(path, $0) }) { openOrMake(path) }
        syncDirectory(of: path)
    }

    /// So that a new file's name is on the disk before its first message is.
    private static func syncDirectory(of path: String) {
        guard let slash = path.lastIndex(of: "/") else { return }
        let directory = try? OwnedDescriptor("open") { open(String(path[...slash]), O_RDONLY | O_CLOEXEC) }
        if let directory { fsync(directory.rawValue) }
    }

    private static func error(_ path: String, _ code: Int32) -> StoreError {
        let reason =
            switch code {
            case ENOENT: "the directory doesn't exist; make it first"
            case EACCES, EPERM: "this user may not write there"
            case EROFS: "the file system is read-only"
            case EISDIR: "it is a directory"
            case ENOTDIR: "a part of the path is not a directory"
            case ENOSPC, EDQUOT: "there is no space left"
            default: systemErrorText(code)
            }
        return StoreError("\(path) can't be opened: \(reason)")
    }
}
