import Glibc
import GoHubCore
import Synchronization
import Testing

@testable import GoHubStore

/// When uploads are flushed to the disk while they arrive.
struct WritebackTests {
    /// A disk that records its calls, and fails on demand.
    private final class Disk: Sendable {
        struct State {
            var ranges: [Range<UInt64>] = []
            /// `errno` of the next call only: the system reports each failure once.
            var failure: Int32?
            var atATime = 0
            var mostAtATime = 0
        }

        let state = Mutex(State())

        var writeback: Writeback {
            Writeback { [self] _, offset, count in
                state.withLock {
                    $0.atATime += 1
                    $0.mostAtATime = max($0.mostAtATime, $0.atATime)
                }
                sched_yield()
                return state.withLock { state in
                    state.atATime -= 1
                    state.ranges.append(offset..<offset + count)
                    guard let failure = state.failure else { return 0 }
                    state.failure = nil
                    errno = failure
                    return -1
                }
            }
        }
    }

    private let part = Int(Writeback.bytesMax) / 4

    private func write(_ bytes: [UInt8], _ fixture: FileStoreFixture, _ lease: Upload.Lease) async throws {
        for start in stride(from: 0, to: bytes.count, by: part) {
            try await fixture.write(Array(bytes[start..<min(bytes.count, start + part)]), at: start, lease)
        }
    }

    @Test func writebackPrecedesEndOfUpload() async throws {
        let disk = Disk()
        let fixture = try FileStoreFixture(writeback: disk.writeback)
        let bytes = FileStoreFixture.noise(10 * part + 1)
        let (_, lease) = try await fixture.begin(fixture.request(size: bytes.count))
        try await write(bytes, fixture, lease)
        #expect(disk.state.withLock(\.ranges) == [0..<UInt64(4 * part), UInt64(4 * part)..<UInt64(8 * part)])
        #expect(try await fixture.finish(lease).hash == FileStoreFixture.hash(bytes))
    }

    @Test func writebackIsSequential() async throws {
        let disk = Disk()
        let fixture = try FileStoreFixture(writeback: disk.writeback)
        let bytes = FileStoreFixture.noise(8 * part)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<16 {
                group.addTask {
                    let (_, lease) = try await fixture.begin(fixture.request("c\(number)", size: bytes.count))
                    try await write(bytes, fixture, lease)
                }
            }
            try await group.waitForAll()
        }
        #expect(disk.state.withLock(\.ranges).count == 32)
        #expect(disk.state.withLock(\.mostAtATime) == 1)
    }

    @Test(arguments: [(EIO, .unavailable), (ENOSPC, .diskFull)] as [(Int32, FileError.Code)])
    func lostBytesAreSentAgain(_ code: Int32, _ expected: FileError.Code) async throws {
        let disk = Disk()
        let fixture = try FileStoreFixture(writeback: disk.writeback)
        let bytes = FileStoreFixture.noise(8 * part)
        let (upload, lease) = try await fixture.begin(fixture.request(size: bytes.count))
        disk.state.withLock { $0.failure = code }
        await fixture.refuses(expected) { try await write(bytes, fixture, lease) }
        // Bytes that the system failed to write never count as stored, even if it is asked again.
        await fixture.refuses(.superseded) { try await fixture.finish(lease) }
        try await fixture.restart()
        let (again, second) = try await fixture.resume(upload.id)
        #expect(again.offset == 0)
        try await write(bytes, fixture, second)
        #expect(try await fixture.finish(second).hash == FileStoreFixture.hash(bytes))
    }

    @Test(arguments: [ENOSYS, EINVAL, EPERM, EOPNOTSUPP])
    func missingWritebackCallIsTolerated(_ code: Int32) async throws {
        let disk = Disk()
        let fixture = try FileStoreFixture(writeback: disk.writeback)
        let bytes = FileStoreFixture.noise(8 * part)
        let (_, lease) = try await fixture.begin(fixture.request(size: bytes.count))
        disk.state.withLock { $0.failure = code }
        try await write(bytes, fixture, lease)
        #expect(try await fixture.finish(lease).hash == FileStoreFixture.hash(bytes))
    }
}
