internal import Glibc

/// A folder of this process' own, made afresh with mode 0700, and locked for as long as this object lives.
///
/// The system takes the lock back however a process ends. So the next one finds the folders of those that were killed,
/// and removes them.
package final class LockedFolder: Sendable {
    package let path: String
    private let lock: OwnedDescriptor

    /// Of a start: one that makes a folder may lose it to another that looks for dead ones at that moment.
    private static let attemptsMax = 10
    /// The maximum number of names in the parent that a start examines.
    private static let namesMax = 100_000

    /// - Parameters:
    ///   - parent: where the folder is made.
    ///   - prefix: the name's beginning. With the user, so that root finds its own only; who may not write into others'
    ///     folders can't remove them anyway.
    ///   - empty: empties a dead process' folder, of which it gets a descriptor and the path. One that isn't empty then
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

    /// A descriptor that holds the lock of a new folder; `nil` when another start was quicker, and removes it.
    private static func locked(_ path: String) -> OwnedDescriptor? {
        guard let folder = open(path) else { return nil }
        // A file system without locks prevents others from locking it, too: then it isn't removed.
        let isOthers = flock(folder.rawValue, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
        // From here on nobody removes it.
        guard !isOthers, access(path, F_OK) == 0 else { return nil }
        return folder
    }

    private static func open(_ path: String, in parent: Int32 = AT_FDCWD) -> OwnedDescriptor? {
        try? OwnedDescriptor("openat") {
            openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
    }

    /// Removes what this user's processes have left that were killed.
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
            // While we hold the lock nobody else removes it. Everybody can make a folder of our name in /tmp, and what
            // is in it is found by its path: who may rename that folder, or what is in it, would choose what goes.
            guard flock(folder.rawValue, LOCK_EX | LOCK_NB) == 0, isPrivateFolder(folder.rawValue) else { continue }
            empty(folder.rawValue, "\(parent)/\(name)")
            unlinkat(dirfd(names), name, AT_REMOVEDIR)
        }
    }
}

/// Whether an open folder belongs to this user, and no other user may read or change it.
package func isPrivateFolder(_ descriptor: Int32) -> Bool {
    var status = stat()
    // `fstat` fills in this one structure, which lives for the call.
    return fstat(descriptor, &status) == 0 && status.st_uid == geteuid() && status.st_mode & 0o777 == 0o700
        && status.st_mode & S_IFMT == S_IFDIR
}
