internal import Glibc
internal import Synchronization

/// A file for targets that read files. There is one for the process, rewritten for each input.
enum ScratchFile {
    private static let descriptor = Mutex<Int32?>(nil)

    /// Calls `body` with the path of a file that holds the bytes. One call at a time.
    static func with(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        try descriptor.withLock { kept in
            let descriptor = try kept ?? make()
            kept = descriptor
            guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else {
                throw BrokenPromise(description: "the scratch file cannot be written")
            }
            try body("/proc/self/fd/\(descriptor)")
        }
    }

    /// An unnamed file in memory, if the system has such files, so that nothing is left however the process ends.
    private static func make() throws -> Int32 {
        let directory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(directory)/gohub-fuzz-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw BrokenPromise(description: "no file can be made in \(directory)") }
        unlink(template)
        return descriptor
    }
}
