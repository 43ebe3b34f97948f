import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

struct DiskFileStoreTests {
    // MARK: Upload and download

    @Test(arguments: [0, 1, 4095, 4096, 4097, 100_000])
    func uploadedBytesAreReadBack(_ count: Int) async throws {
        let fixture = try FileStoreFixture()
        let bytes = FileStoreFixture.noise(count)
        let (upload, lease) = try await fixture.begin(fixture.request(size: count, hash: FileStoreFixture.hash(bytes)))
        #expect(upload.offset == 0)
        var offset = 0
        while offset < count {
            let piece = Array(bytes[offset..<min(offset + 3_001, count)])
            #expect(try await fixture.write(piece, at: offset, lease) == UInt64(offset + piece.count))
            offset += piece.count
        }
        let file = try await fixture.finish(lease)
        #expect(file.size == UInt64(count) && file.hash == FileStoreFixture.hash(bytes) && file.id == upload.id)
        #expect(file.name.value == "a.bin" && file.owner == .alice && file.room == .lobby)
        #expect(try await fixture.contents(file.id) == bytes)
        #expect(try await fixture.ask { fixture.store.file(file.id, in: .standard, completion: $0) } == file)
        // Only this user can read it, and its path is derived from its content.
        #expect(fixture.names(in: "uploads").isEmpty)
        let path = fixture.directory.file(
            "files/blobs/\(file.hash.hex.prefix(2))/\(file.hash.hex.dropFirst(2).prefix(2))")
        #expect(fixture.names(in: "blobs") == ["\(path)/\(file.hash.hex).\(file.id)"])
        var status = stat()
        #expect(stat("\(path)/\(file.hash.hex).\(file.id)", &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o700)
    }

    @Test func fileTypeComesFromBytes() async throws {
        let fixture = try FileStoreFixture()
        let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + FileStoreFixture.noise(9_000)
        #expect(try await fixture.file("c1", png).type == .png)
        #expect(try await fixture.file("c2", Array("<html>".utf8)).type == .text)
        // A text whose first bytes end within a character is still a text.
        let text = "x" + String(repeating: "ü", count: FileType.beginningBytes)
        #expect(try await fixture.file("c3", Array(text.utf8)).type == .text)
    }

    @Test func readsReturnRequestedPieces() async throws {
        let fixture = try FileStoreFixture()
        let bytes = FileStoreFixture.noise(10_000)
        let file = try await fixture.file("c1", bytes)
        let reader: any FileReader = try await fixture.ask {
            fixture.store.open(file.id, in: .standard, completion: $0)
        }
        for (offset, count) in [(0, 1), (9_999, 10), (5_000, 5_000), (10_000, 1), (123_456, 7)] {
            let piece = try await fixture.ask { reader.read(at: UInt64(offset), bytesMax: count, completion: $0) }
            #expect(piece == Array(bytes.dropFirst(offset).prefix(count)))
        }
        #expect(try await fixture.ask { reader.read(at: .max, bytesMax: .max, completion: $0) }.isEmpty)
        await fixture.refuses(.invalid) {
            try await fixture.ask { reader.read(at: 0, bytesMax: 0, completion: $0) }
        }
        // To its end, although it is deleted.
        try await fixture.delete(file.id)
        #expect(fixture.names(in: "blobs").isEmpty)
        #expect(try await fixture.ask { reader.read(at: 0, bytesMax: 20_000, completion: $0) } == bytes)
        await fixture.refuses(.notFound) { try await fixture.contents(file.id) }
    }

    @Test func openFilesAreLimited() async throws {
        let fixture = try FileStoreFixture { $0.readersMax = 2 }
        let file = try await fixture.file("c1", [1, 2, 3])
        var readers: [any FileReader] = []
        for _ in 0..<2 {
            readers.append(try await fixture.ask { fixture.store.open(file.id, in: .standard, completion: $0) })
        }
        await fixture.refuses(.busy) { try await fixture.contents(file.id) }
        readers.removeLast()
        // Frees its slot when the last reference is released.
        for _ in 0..<6_000 {
            if (try? await fixture.contents(file.id)) != nil { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("a place was never given back")
    }

    // MARK: False claims

    @Test func contradictingWritesAreRefused() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: 5))
        await fixture.refuses(.sizeMismatch) { try await fixture.finish(lease) }
        await fixture.refuses(.wrongOffset) { try await fixture.write([1], at: 1, lease) }
        await fixture.refuses(.sizeMismatch) { try await fixture.write([1, 2, 3, 4, 5, 6], at: 0, lease) }
        await fixture.refuses(.invalid) { try await fixture.write([], at: 0, lease) }
        #expect(try await fixture.write([1, 2, 3], at: 0, lease) == 3)
        do {
            _ = try await fixture.write([1], at: 0, lease)
            Issue.record("wrote over what was stored")
        } catch {
            #expect((error as? FileError)?.expectedOffset == 3)
        }
        await fixture.refuses(.sizeMismatch) { try await fixture.finish(lease) }
        #expect(try await fixture.resume(upload.id).upload.offset == 3)
    }

    @Test func hashMismatchLeavesNothing() async throws {
        let fixture = try FileStoreFixture { $0.quotas.userBytesMax = FileQuotas.blockBytes }
        let (upload, lease) = try await fixture.begin(fixture.request(size: 3, hash: FileStoreFixture.hash([1, 2, 4])))
        try await fixture.write([1, 2, 3], at: 0, lease)
        await fixture.refuses(.hashMismatch) { try await fixture.finish(lease) }
        await fixture.refuses(.notFound) { try await fixture.state(upload.id) }
        #expect(fixture.names(in: "").isEmpty)
        // It uses none of the quota any more.
        #expect(try await fixture.file("c1", [1, 2, 4]).size == 3)
    }

    @Test func quotasHold() async throws {
        let fixture = try FileStoreFixture {
            $0.quotas = FileQuotas(fileBytesMax: 10_000, userBytesMax: 20_000, userUploadsMax: 2)
        }
        await fixture.refuses(.tooLarge) { try await fixture.begin(fixture.request(size: 10_001)) }
        _ = try await fixture.file("c1", FileStoreFixture.noise(10_000))
        let (upload, _) = try await fixture.begin(fixture.request("c2", size: 10_000))
        await fixture.refuses(.userQuota) { try await fixture.begin(fixture.request("c3", size: 1)) }
        try await fixture.cancel(upload.id)
        _ = try await fixture.begin(fixture.request("c3", size: 1))
        _ = try await fixture.begin(fixture.request("c4", size: 1))
        await fixture.refuses(.uploadsQuota) { try await fixture.begin(fixture.request("c5", size: 1)) }
    }

    // MARK: Leases

    @Test func resumedUploadEndsOlderLeases() async throws {
        let fixture = try FileStoreFixture()
        let (upload, first) = try await fixture.begin(fixture.request(size: 4))
        try await fixture.write([1], at: 0, first)
        let (again, second) = try await fixture.resume(upload.id)
        #expect(again.offset == 1)
        await fixture.refuses(.superseded) { try await fixture.write([9], at: 1, first) }
        await fixture.refuses(.superseded) { try await fixture.finish(first) }
        // A superseded lease's release changes nothing.
        fixture.store.release(first)
        try await fixture.write([2, 3, 4], at: 1, second)
        #expect(try await fixture.contents(try await fixture.finish(second).id) == [1, 2, 3, 4])
        await fixture.refuses(.superseded) { try await fixture.write([9], at: 4, second) }
    }

    @Test func uploadBelongsToItsOwner() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: 1))
        await fixture.refuses(.notFound) { try await fixture.state(upload.id, by: .bob) }
        await fixture.refuses(.notFound) { try await fixture.cancel(upload.id, by: .bob) }
        await fixture.refuses(.notFound) { try await fixture.state(.random()) }
        try await fixture.write([1], at: 0, lease)
        let file = try await fixture.finish(lease)
        await fixture.refuses(.notFound) { try await fixture.state(upload.id, by: .bob) }
        await fixture.refuses(.notFound) {
            try await fixture.ask { fixture.store.file(file.id, in: .named("elsewhere"), completion: $0) }
        }
        await fixture.refuses(.notFound) {
            try await fixture.ask { fixture.store.open(file.id, in: .named("elsewhere"), completion: $0) }
        }
        await fixture.refuses(.notFound) {
            try await fixture.ask { fixture.store.delete(file.id, in: .named("elsewhere"), completion: $0) }
        }
    }

    @Test func releasedUploadResumes() async throws {
        let fixture = try FileStoreFixture()
        let bytes = FileStoreFixture.noise(9)
        let (upload, first) = try await fixture.begin(fixture.request(size: 9, hash: FileStoreFixture.hash(bytes)))
        try await fixture.write(Array(bytes[..<4]), at: 0, first)
        fixture.store.release(first)
        await fixture.refuses(.superseded) { try await fixture.write([9], at: 4, first) }
        let (again, second) = try await fixture.begin(fixture.request(size: 9, hash: FileStoreFixture.hash(bytes)))
        #expect(again.id == upload.id && again.offset == 4)
        try await fixture.write(Array(bytes[4...]), at: 4, second)
        #expect(try await fixture.finish(second).hash == FileStoreFixture.hash(bytes))
    }

    @Test func cancelledUploadIsGone() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: 4))
        try await fixture.write([1], at: 0, lease)
        try await fixture.cancel(upload.id)
        #expect(fixture.names(in: "uploads").isEmpty)
        await fixture.refuses(.superseded) { try await fixture.write([2], at: 1, lease) }
        await fixture.refuses(.superseded) { try await fixture.finish(lease) }
        await fixture.refuses(.notFound) { try await fixture.state(upload.id) }
    }

    @Test func uploadOpenInOtherProcessIsBusy() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: 4))
        try await fixture.restart()
        _ = lease
        // As the other node's would be.
        let other = try fixture.folder.open(upload.id)
        await fixture.refuses(.busy) { try await fixture.state(upload.id) }
        withExtendedLifetime(other) {}
    }

    // MARK: The same content

    @Test func equalBytesAreStoredOnce() async throws {
        let fixture = try FileStoreFixture()
        let bytes = FileStoreFixture.noise(1_000)
        let first = try await fixture.file("c1", bytes)
        let second = try await fixture.file("c2", bytes, owner: .bob)
        #expect(first.id != second.id && first.hash == second.hash)
        #expect(fixture.names(in: "blobs").count == 1)
        try await fixture.delete(first.id)
        #expect(try await fixture.contents(second.id) == bytes)
        try await fixture.delete(second.id)
        await fixture.store.tidy()
        #expect(fixture.names(in: "").isEmpty)
    }

    /// Each deletes the others' content too, at every step of their uploads.
    @Test func concurrentUploadAndDeletionOfEqualBytes() async throws {
        let fixture = try FileStoreFixture { $0.quotas.userUploadsMax = 100 }
        let bytes = FileStoreFixture.noise(2_000)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for worker in 0..<8 {
                tasks.addTask {
                    for round in 0..<15 {
                        let file = try await fixture.file("w\(worker)-\(round)", bytes)
                        #expect(try await fixture.contents(file.id) == bytes)
                        try await fixture.delete(file.id)
                    }
                }
            }
            try await tasks.waitForAll()
        }
        await fixture.store.tidy()
        #expect(fixture.names(in: "").isEmpty)
    }
}
