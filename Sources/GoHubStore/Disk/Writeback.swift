internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// Makes the disk write the uploads' dirty bytes: a small part at a time, for one upload at a time, and waits for it.
///
/// A database that syncs a few bytes for a message waits for all earlier writes of the disk. This keeps them below one
/// such part, and uploads still run at the disk's speed: `make bench-files` measures both.
final class Writeback: Sendable {
    /// Writes `count` bytes from `offset`; returns 0 when they are written, or -1 with `errno`.
    typealias Call = @Sendable (_ descriptor: Int32, _ offset: UInt64, _ count: UInt64) -> Int32

    /// The maximum number of an upload's bytes that are only in memory.
    static let bytesMax: UInt64 = 256 * 1024

    private let call: Call
    private let disk = Mutex(())

    init(call: @escaping Call = Writeback.system) {
        self.call = call
    }

    /// - Throws: when the disk fails. The system reports that once and then forgets the bytes: they must be sent again.
    func write(_ file: OpenFile, from offset: UInt64, to end: UInt64) throws(FileError) {
        let code = disk.withLock { _ in
            retryingInterrupts { call(file.descriptor, offset, end - offset) } == 0 ? 0 : errno
        }
        // If the system or its file system lacks this call, the sync at the end does the work alone.
        guard code != 0, ![ENOSYS, EINVAL, EOPNOTSUPP, EPERM].contains(code) else { return }
        throw .system("\(file.path) cannot be written", code)
    }

    /// Passes only numbers; the file that owns the descriptor lives for the call.
    private static let system: Call = { descriptor, offset, count in
        sync_file_range(
            descriptor, Int(clamping: offset), Int(clamping: count), UInt32(GOHUB_SYNC_FILE_RANGE_WRITE_AND_WAIT))
    }
}
