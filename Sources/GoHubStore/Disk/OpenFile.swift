internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// An open file, closed with its last reference.
final class OpenFile: Sendable {
    private let file: OwnedDescriptor
    let path: String

    init(_ path: String, _ flags: Int32) throws(FileError) {
        self.path = path
        file = try OwnedDescriptor(orThrow: { FileError.system("\(path) cannot be opened", $0) }) {
            Glibc.open(path, flags | O_CLOEXEC | O_NOCTTY, 0o600)
        }
    }

    deinit {
        // Releases the lock even if a process that is just being started shares the descriptor.
        flock(descriptor, LOCK_UN)
    }

    var descriptor: Int32 { file.rawValue }

    func status() throws(FileError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("\(path) cannot be examined", errno) }
        return status
    }

    func sync() throws(FileError) {
        guard retryingInterrupts({ fsync(descriptor) }) == 0 else { throw .system("\(path) cannot be synced", errno) }
    }

    func truncate() throws(FileError) {
        guard retryingInterrupts({ ftruncate(descriptor, 0) }) == 0 else {
            throw .system("\(path) cannot be truncated", errno)
        }
    }

    /// Returns fewer bytes than requested only at the end. No offset here is near the integer limit: a file's size is
    /// signed.
    func read(at offset: UInt64, bytesMax: Int) throws(FileError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, count in
            (count, code) = readEverything(UnsafeMutableRawBufferPointer(buffer), from: descriptor, at: offset)
        }
        guard code == 0 else { throw .system("\(path) cannot be read", code) }
        return bytes
    }

    /// Writes as much as possible.
    ///
    /// - Returns: the number of bytes, and the error if it wasn't everything.
    func write(_ bytes: [UInt8], at offset: UInt64) -> (count: Int, error: FileError?) {
        var written = 0
        while written < bytes.count {
            // Inside the buffer: `written` is below its count, and the length is the rest.
            let count = bytes.withUnsafeBytes { buffer in
                retryingInterrupts {
                    pwrite(
                        descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written,
                        off_t(clamping: offset + UInt64(written)))
                }
            }
            guard count > 0 else { return (written, .system("\(path) cannot be written", count < 0 ? errno : EIO)) }
            written += count
        }
        return (written, nil)
    }
}

extension FileError {
    /// An error of a system call.
    static func system(_ what: String, _ code: Int32) -> FileError {
        let reason =
            switch code {
            case ENOSPC, EDQUOT: "no space is left on the disk. Free some"
            case EMFILE, ENFILE: "too many files are open. Raise the limit (ulimit -n)"
            default: systemErrorText(code)
            }
        let cause = StoreError(.init(systemCode: code), "\(what): \(reason).")
        return switch code {
        case ENOSPC, EDQUOT:
            FileError(
                .diskFull, "The server's disk is full. The bytes received so far are kept.", underlying: cause)
        case EMFILE, ENFILE: FileError(.busy, FileError.busy.message, underlying: cause)
        default: .unavailable(cause)
        }
    }
}
