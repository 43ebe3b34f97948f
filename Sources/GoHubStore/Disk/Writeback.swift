internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import Synchronization

/// Has the disk write what uploads leave in the system's memory: a little at a time, for one upload at a time, and waits for
/// it.
///
/// A database that syncs a few bytes for a message waits for all that the disk was told to write before. So that is never
/// more than one such part, however much comes, and uploads go as fast as the disk keeps them: `make bench-files` measures
/// both.
final class Writeback: Sendable {
    /// Writes `count` bytes from `offset`, and returns 0 when they are written, or -1 with `errno`.
    typealias Call = @Sendable (_ descriptor: Int32, _ offset: UInt64, _ count: UInt64) -> Int32

    /// What an upload may have in memory alone.
    static let bytesMax: UInt64 = 256 * 1024

    private let call: Call
    private let disk = Mutex(())

    init(call: @escaping Call = Writeback.system) {
        self.call = call
    }

    /// - Throws: when the disk can't. The system tells that once, and has forgotten the bytes: they are to be sent again.
    func write(_ file: OpenFile, from offset: UInt64, to end: UInt64) throws(FileError) {
        let code = disk.withLock { _ in
            retryingInterrupts { call(file.descriptor, offset, end - offset) } == 0 ? 0 : errno
        }
        // Where the system, or its file system, has no such call: the sync at the end does it alone.
        guard code != 0, ![ENOSYS, EINVAL, EOPNOTSUPP, EPERM].contains(code) else { return }
        throw .system("\(file.path) can't be written", code)
    }

    /// Hands over numbers alone; the file that has the descriptor lives for the call.
    private static let system: Call = { descriptor, offset, count in
        sync_file_range(
            descriptor, Int(clamping: offset), Int(clamping: count), UInt32(GOHUB_SYNC_FILE_RANGE_WRITE_AND_WAIT))
    }
}
