import Glibc
import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubStore

/// Everything that may happen between an upload's last byte and its answer as a file: each waiting client is answered
/// once.
struct DiskFileStoreFinishTests {
    private let image: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + FileStoreFixture.noise(9_000)

    /// A finish that waits for the image's preview.
    private struct Waiting {
        let fixture: FileStoreFixture
        let previews: SlowPreviews
        let upload: Upload
        let lease: Upload.Lease
        let finish: Task<StoredFile, any Error>
    }

    private func begin(_ catalog: any FileCatalog = InMemoryFileCatalog()) async throws -> Waiting {
        let previews = SlowPreviews()
        let fixture = try FileStoreFixture(catalog: catalog) { $0.previews = previews }
        let (upload, lease) = try await fixture.begin(fixture.request(size: image.count))
        try await fixture.write(image, at: 0, lease)
        let finish = Task { try await fixture.finish(lease) }
        await previews.isAsked()
        return Waiting(fixture: fixture, previews: previews, upload: upload, lease: lease, finish: finish)
    }

    @Test func imagePropertiesAreStored() async throws {
        let waiting = try await begin()
        waiting.previews.answer(
            .success(ImagePreview(width: 4, height: 3, webp: Array("RIFF".utf8), placeholder: "p")))
        let file = try await waiting.finish.value
        #expect(file.image == ImageProperties(width: 4, height: 3, placeholder: "p", hasPreview: true))
        let store = waiting.fixture.store
        let preview = try await waiting.fixture.ask { store.preview(file.id, in: .standard, completion: $0) }
        #expect(preview.bytes == Array("RIFF".utf8))
        #expect(preview.file == file)
        await waiting.fixture.refuses(.notFound) {
            try await waiting.fixture.ask { store.preview(file.id, in: .named("elsewhere"), completion: $0) }
        }
        try await waiting.fixture.delete(file.id)
        #expect(waiting.fixture.names(in: "").isEmpty, "it goes with the file")
    }

    @Test func undecodableImageIsStillAFile() async throws {
        let waiting = try await begin()
        waiting.previews.answer(.failure(.crashed))
        let file = try await waiting.finish.value
        #expect(file.image == nil)
        await waiting.fixture.refuses(.notFound) {
            try await waiting.fixture.ask { waiting.fixture.store.preview(file.id, in: .standard, completion: $0) }
        }
    }

    @Test func cancellationAnswersWaitingFinish() async throws {
        let waiting = try await begin()
        try await waiting.fixture.cancel(waiting.upload.id)
        await waiting.fixture.refuses(.notFound) { try await waiting.finish.value }
        waiting.previews.answer(.failure(.timeout))
        // The late result has no effect.
        #expect(try await waiting.fixture.file("c2", [1]).size == 1)
        await waiting.fixture.refuses(.notFound) { try await waiting.fixture.state(waiting.upload.id) }
        #expect(waiting.fixture.names(in: "").count == 1)
    }

    @Test func closeAnswersWaitingFinish() async throws {
        let waiting = try await begin()
        await waiting.fixture.store.close()
        await waiting.fixture.refuses(.unavailable) { try await waiting.finish.value }
        waiting.previews.answer(.failure(.timeout))
        try await waiting.fixture.restart()
        let (again, lease) = try await waiting.fixture.resume(waiting.upload.id)
        #expect(again.offset == UInt64(image.count))
        let finish = Task { try await waiting.fixture.finish(lease) }
        await waiting.previews.isAsked()
        waiting.previews.answer(.failure(.timeout))
        #expect(try await finish.value.size == UInt64(image.count))
    }

    /// The client disconnects while its upload is being finished, and the finish then fails: nobody holds it.
    @Test func leaseReleasedDuringFinishIsReleased() async throws {
        let catalog = BreakingCatalog()
        let waiting = try await begin(catalog)
        waiting.fixture.store.release(waiting.lease)
        catalog.isBroken.store(true, ordering: .sequentiallyConsistent)
        waiting.previews.answer(.failure(.timeout))
        await waiting.fixture.refuses(.unavailable) { try await waiting.finish.value }
        // Another process may resume it, which it can't while it is locked.
        let file = try waiting.fixture.folder.open(waiting.upload.id)
        #expect(try file.status().st_size == image.count)
    }

    @Test func fileDeletedDuringOpenIsNotFound() async throws {
        let catalog = BreakingCatalog()
        let fixture = try FileStoreFixture(catalog: catalog) { $0.report = { Issue.record("\($0)") } }
        let file = try await fixture.file("c1", [1, 2, 3])
        let folder = fixture.folder
        let blob = try #require(folder.blobs(String(file.hash.hex.prefix(4)), skipping: 0, max: 10).ids.first)
        catalog.afterRead.withLock {
            $0 = {
                catalog.delete(file.id, in: .standard) { _ in }
                folder.remove(blob)
            }
        }
        await fixture.refuses(.notFound) { try await fixture.contents(file.id) }
    }

    @Test func repeatedMoveSucceeds() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: image.count))
        try await fixture.write(image, at: 0, lease)
        let blob = BlobID(hash: FileStoreFixture.hash(image), origin: upload.id)
        for _ in 0..<2 {
            try fixture.folder.move(upload.id, to: blob, size: UInt64(image.count))
            try fixture.folder.syncDirectories(blob)
        }
        await fixture.refuses(.unavailable) { try fixture.folder.move(upload.id, to: blob, size: 1) }
        #expect(fixture.names(in: "blobs").count == 1)
    }
}

/// Answers when the test says so.
private final class SlowPreviews: ImagePreviewing {
    private typealias Answer = Result<ImagePreview, ImagePreviewFailure>

    private struct State {
        var asking: CheckedContinuation<Answer, Never>?
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func preview(
        of descriptor: Int32, format: ImageFormat, for user: UserKey
    ) async -> Result<ImagePreview, ImagePreviewFailure> {
        await withCheckedContinuation { continuation in
            let waiting = state.withLock { state in
                state.asking = continuation
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume()
        }
    }

    /// Waits until a preview is requested.
    func isAsked() async {
        await withCheckedContinuation { continuation in
            let isAsked = state.withLock { state in
                if state.asking == nil { state.waiting = continuation }
                return state.asking != nil
            }
            if isAsked { continuation.resume() }
        }
    }

    func answer(_ answer: Result<ImagePreview, ImagePreviewFailure>) {
        let asking = state.withLock { state in
            defer { state.asking = nil }
            return state.asking
        }
        asking?.resume(returning: answer)
    }
}

/// A catalog whose database may fail, or change right after a read.
private final class BreakingCatalog: FileCatalog {
    let isBroken = Atomic(false)
    /// Runs once.
    let afterRead = Mutex<(@Sendable () -> Void)?>(nil)
    private let catalog = InMemoryFileCatalog()

    func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        guard !isBroken.load(ordering: .sequentiallyConsistent) else {
            return completion(.failure(.unavailable(StoreError("The database is away."))))
        }
        catalog.transaction(body, completion: completion)
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        transaction(body) { [self] result in
            let change = afterRead.withLock { change in
                defer { change = nil }
                return change
            }
            change?()
            completion(result)
        }
    }
}
