internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// The database file: it exists once, only its owner can read it, and only this process uses it.
///
/// The lock is on a separate file, `PATH-lock`, and not on the database: closing any descriptor of the database would
/// release SQLite's own locks on it. The system releases it when the process ends, for whatever reason.
final class SQLiteFile: Sendable {
    /// Without symbolic links, so that two names of one file are one lock.
    let path: String
    private let lock: OwnedDescriptor

    init(path: String) throws(StoreError) {
        let full = try Self.resolve(path)
        lock = try OwnedDescriptor(orThrow: { Self.error(path, $0) }) { Self.openOrMake(full + "-lock") }
        self.path = full
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            throw code == EWOULDBLOCK
                ? StoreError(.inUse, "\(path) is in use by another hub. Stop that hub, or use another file.")
                : StoreError(.init(systemCode: code), "\(full)-lock cannot be locked (\(systemErrorText(code))).")
        }
        try Self.make(full)
    }

    /// Releases the lock explicitly: a process that is just being started from this one shares the descriptor until its
    /// exec, so closing is not enough.
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
                throw StoreError(.incompatible, "\(path) is not a regular file.")
            }
            return resolved
        }
        guard errno == ENOENT else { throw error(path, errno) }
        // It doesn't exist yet, but its directory must.
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

    /// Creates the file if it doesn't exist.
    private static func make(_ path: String) throws(StoreError) {
        _ = try OwnedDescriptor(orThrow: { error(path, $0) }) { openOrMake(path) }
        syncDirectory(of: path)
    }

    /// Makes a new file's name durable before its first message.
    private static func syncDirectory(of path: String) {
        guard let slash = path.lastIndex(of: "/") else { return }
        let directory = try? OwnedDescriptor("open") { open(String(path[...slash]), O_RDONLY | O_CLOEXEC) }
        if let directory { fsync(directory.rawValue) }
    }

    private static func error(_ path: String, _ code: Int32) -> StoreError {
        let reason =
            switch code {
            case ENOENT: "its parent directory does not exist. Create it first"
            case EACCES, EPERM: "this user has no permission to write there"
            case EROFS: "the file system is read-only"
            case EISDIR: "it is a directory"
            case ENOTDIR: "part of the path is not a directory"
            case ENOSPC, EDQUOT: "no space is left on the disk"
            default: systemErrorText(code)
            }
        return StoreError(.init(systemCode: code), "\(path) cannot be opened: \(reason).")
    }
}
