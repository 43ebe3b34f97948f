import Glibc
import GoHubSystem
import Testing

@Suite struct FileTests {
    private let folder: TestFolder

    init() throws {
        folder = try TestFolder()
    }

    private func reason(_ path: String, bytesMax: Int = 100) -> BoundedFile.Failure.Reason? {
        do throws(BoundedFile.Failure) {
            _ = try BoundedFile.read(path, bytesMax: bytesMax)
            return nil
        } catch {
            #expect(error.description.hasPrefix(path))
            return error.reason
        }
    }

    // MARK: Reading

    @Test(arguments: [0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 100_000])
    func aFileIsReadWhole(_ count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let path = try folder.write("file", bytes)
        #expect(try BoundedFile.read(path, bytesMax: count) == bytes)
        #expect(try BoundedFile.read(path, bytesMax: 1 << 20) == bytes)
        if count > 0 { #expect(reason(path, bytesMax: count - 1) == .tooLarge) }
    }

    @Test func aFileThatSaysItIsEmptyIsReadToItsEnd() throws {
        #expect(!(try BoundedFile.read("/proc/self/statm", bytesMax: 1000)).isEmpty)
        #expect(reason("/proc/self/status", bytesMax: 10) == .tooLarge)
    }

    @Test func whatIsNoFileIsNotRead() throws {
        #expect(reason("\(folder.path)/nothing") == .system(ENOENT))
        #expect(reason(folder.path) == .notRegular)
        #expect(reason("/dev/null") == .notRegular)
        // A FIFO without a writer: waiting for one would hang the process.
        let fifo = "\(folder.path)/fifo"
        try #require(mkfifo(fifo, 0o600) == 0)
        #expect(reason(fifo) == .notRegular)
    }

    @Test func aFileThatBecomesShorterIsNoticed() throws {
        let path = try folder.write("file", [1, 2, 3, 4])
        let file = try BoundedFile(path, bytesMax: 4)
        #expect(file.size == 4)
        try #require(truncate(path, 2) == 0)
        var failure: BoundedFile.Failure?
        withUnsafeTemporaryAllocation(byteCount: file.size, alignment: 1) { buffer in
            do throws(BoundedFile.Failure) {
                try file.read(into: buffer)
            } catch {
                failure = error
            }
        }
        #expect(failure?.reason == .cut)
        #expect(try file.read() == [1, 2])
    }

    // MARK: Writing

    @Test func everythingIsWrittenThoughThePipeIsFull() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let reading = OwnedDescriptor(owning: ends[0])
        let writing = OwnedDescriptor(owning: ends[1])
        let target = writing.rawValue
        try #require(fcntl(target, F_SETFL, O_NONBLOCK) == 0)
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        let thread = try SystemThread(name: "writes") { #expect(writeEverything(bytes, to: target)) }
        var count = 0
        var buffer = [UInt8](repeating: 0, count: 4096)
        while count < bytes.count {
            let read = Glibc.read(reading.rawValue, &buffer, buffer.count)
            try #require(read > 0)
            count += read
        }
        thread.join()
        #expect(count == bytes.count)
        _ = consume writing
    }

    @Test func aDescriptorThatTakesNothingIsAFailure() {
        #expect(!writeEverything([1], to: -1))
        #expect(writeEverything([], to: -1))
    }

    // MARK: Locked folders

    private func lock(_ prefix: String = "mine-") throws -> LockedFolder {
        try LockedFolder(in: folder.path, prefix: prefix) { dead, _ in unlinkat(dead, "known", 0) }
    }

    private func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }

    @Test func onlyFoldersOfTheDeadAreRemoved() throws {
        let living = try lock()
        var status = stat()
        #expect(stat(living.path, &status) == 0 && status.st_mode & 0o777 == 0o700)
        // As after a kill: no process has its lock.
        let dead = "\(folder.path)/mine-dead"
        let full = "\(folder.path)/mine-full"
        let loose = "\(folder.path)/mine-loose"
        let others = "\(folder.path)/others"
        for path in [dead, full, loose, others] { try #require(mkdir(path, 0o700) == 0) }
        _ = try folder.write("mine-dead/known", [1])
        _ = try folder.write("mine-full/more", [1])
        // Other users may enter it, so it was not made by this class.
        try #require(chmod(loose, 0o755) == 0)
        let file = try folder.write("mine-file", [1])
        let next = try lock()
        #expect(!isThere(dead))
        for path in [living.path, next.path, full, loose, others, file] { #expect(isThere(path)) }
    }

    @Test func aFolderOfOneThatIsGoneIsRemovedByTheNext() throws {
        var path = ""
        do {
            let folder = try lock()
            path = folder.path
            #expect(isThere(path))
        }
        #expect(isThere(path), "the lock goes with the object, the folder with the next start")
        let next = try lock()
        #expect(!isThere(path) && isThere(next.path))
    }

    @Test func aParentThatIsNotThereIsAnError() {
        #expect(throws: SystemError("mkdtemp", code: ENOENT)) {
            try LockedFolder(in: "\(folder.path)/nothing", prefix: "mine-") { _, _ in }
        }
    }
}
