internal import Glibc

/// A private folder of this process, newly created with mode 0700, and locked while this object lives.
///
/// The system releases the lock however a process ends. So the next process finds and removes the folders of killed
/// ones.
package final class LockedFolder: Sendable {
    package let path: String
    private let lock: OwnedDescriptor

    /// The maximum number of attempts of one start: a concurrent cleanup may remove a new folder before it is locked.
    private static let attemptsMax = 10
    /// The maximum number of names in the parent that a start examines.
    private static let namesMax = 100_000

    /// - Parameters:
    ///   - parent: the directory of the new folder.
    ///   - prefix: the beginning of the name. It should contain the user, so that root finds only its own folders;
    ///     other users cannot remove foreign folders anyway.
    ///   - empty: empties a dead process' folder, given its descriptor and path. A folder that isn't empty afterwards
    ///     stays.
    package init(
        in parent: String, prefix: String, emptyDead empty: (_ folder: Int32, _ path: String) -> Void
    ) throws(SystemError) {
        Self.removeDead(in: parent, prefix, empty)
        for _ in 0..<Self.attemptsMax {
            var template = Array("\(parent)/\(prefix)XXXXXX".utf8CString)
            // `mkdtemp` writes over the X, inside the array and its terminating zero, and makes the folder 0700.
            guard mkdtemp(&template) != nil else { break }
            let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard let lock = Self.locked(path) else { continue }
            self.lock = lock
            self.path = path
            return
        }
        throw SystemError("mkdtemp")
    }

    /// A descriptor that holds the lock of a new folder; `nil` when another start was quicker and removes the folder.
    private static func locked(_ path: String) -> OwnedDescriptor? {
        guard let folder = open(path) else { return nil }
        // On a file system without locks no process can lock the folder, so none removes it.
        let isOthers = flock(folder.rawValue, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
        // From here on no other process removes it.
        guard !isOthers, access(path, F_OK) == 0 else { return nil }
        return folder
    }

    private static func open(_ path: String, in parent: Int32 = AT_FDCWD) -> OwnedDescriptor? {
        try? OwnedDescriptor("openat") {
            openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
    }

    /// Removes the folders of this user's killed processes.
    private static func removeDead(in parent: String, _ prefix: String, _ empty: (Int32, String) -> Void) {
        guard let names = opendir(parent) else { return }
        defer { closedir(names) }
        for _ in 0..<namesMax {
            guard let entry = readdir(names) else { return }
            // `readdir` terminates a name with a zero inside the entry, which is valid until the next call.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix(prefix), let folder = open(name, in: dirfd(names)) else { continue }
            // While we hold the lock no other process removes it. Any user can create such a folder in /tmp, and its
            // contents are found by path: a user who can rename them would choose the files to remove.
            guard flock(folder.rawValue, LOCK_EX | LOCK_NB) == 0, isPrivateFolder(folder.rawValue) else { continue }
            empty(folder.rawValue, "\(parent)/\(name)")
            unlinkat(dirfd(names), name, AT_REMOVEDIR)
        }
    }
}

/// Whether an open folder belongs to this user and no other user can read or change it.
package func isPrivateFolder(_ descriptor: Int32) -> Bool {
    var status = stat()
    // `fstat` fills in only this structure, which lives for the call.
    return fstat(descriptor, &status) == 0 && status.st_uid == geteuid() && status.st_mode & 0o777 == 0o700
        && status.st_mode & S_IFMT == S_IFDIR
}
