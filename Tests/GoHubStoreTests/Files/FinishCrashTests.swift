import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubStore

/// Crashes after each action of a finish: the state of disk and catalog, and the recovery from it.
struct FinishCrashTests {
    /// The actions of an image's finish, in their order, with what each leaves.
    enum Point: Int, CaseIterable, Sendable {
        case examine
        case sync
        case makePreview
        case claim
        case move
        case syncDirectories
        case storePreview
        case record

        fileprivate var leavesUpload: Bool { rawValue < Point.move.rawValue }
        fileprivate var leavesBlob: Bool { !leavesUpload }
        fileprivate var leavesPreview: Bool { rawValue >= Point.storePreview.rawValue }
        fileprivate var leavesClaim: Bool { rawValue >= Point.claim.rawValue && !leavesFile }
        fileprivate var leavesFile: Bool { self == .record }

        fileprivate var before: Point? { Point(rawValue: rawValue - 1) }
    }

    // MARK: Crashes

    @Test(arguments: Point.allCases)
    func finishContinuesAfterCrash(_ point: Point) async throws {
        let walk = try await FinishWalk()
        try await walk.perform(count: point.rawValue + 1)
        try await walk.expects(point)
        walk.crash()
        try await walk.expects(point)
        try await walk.recovers()
    }

    @Test(arguments: Point.allCases.dropLast())
    func uploadIsCancelledAfterCrash(_ point: Point) async throws {
        let walk = try await FinishWalk()
        try await walk.perform(count: point.rawValue + 1)
        walk.crash()
        try await walk.fixture.cancel(walk.id)
        try await walk.leavesNothing()
    }

    /// Another upload of the same bytes may have finished since, and been deleted.
    @Test(arguments: Point.allCases)
    func otherFileWithSameBytesIsIndependent(_ point: Point) async throws {
        let walk = try await FinishWalk()
        try await walk.perform(count: point.rawValue + 1)
        walk.crash()
        let other = try await walk.fixture.file("c2", FinishWalk.bytes)
        try await walk.fixture.delete(other.id)
        try await walk.recovers()
    }

    @Test func crashAfterCancelLeavesBytesThatAreUnknown() async throws {
        let walk = try await FinishWalk(announced: FileStoreFixture.hash([7]))
        // They are examined, and the upload is cancelled.
        try await walk.perform(count: 2)
        #expect(walk.fixture.names(in: "uploads").count == 1)
        #expect(try await walk.rows() == FinishWalk.Rows())
        walk.crash()
        walk.fixture.time.advance(by: .seconds(100 * 365 * 24 * 3600))
        try await walk.leavesNothing()
    }

    // MARK: Failures

    /// An action that fails has done nothing, or everything, as when only its answer is lost.
    @Test(arguments: Point.allCases.filter { $0 != .sync && $0 != .storePreview }, [false, true])
    func failureKeepsUpload(_ point: Point, _ isPerformed: Bool) async throws {
        let walk = try await FinishWalk()
        try await walk.fail(after: point.rawValue, isPerformed: isPerformed)
        #expect(walk.results == [.failure(FinishWalk.failure)])
        if let left = isPerformed ? point : point.before { try await walk.expects(left) }
        // The lease is still valid.
        try walk.begin()
        try await walk.finish()
        #expect(try walk.results.last?.get().hash == FinishWalk.hash)
        try await walk.recovers()
    }

    @Test(arguments: [false, true])
    func failedSyncStartsUploadOver(_ isPerformed: Bool) async throws {
        let walk = try await FinishWalk()
        try await walk.fail(after: Point.sync.rawValue, isPerformed: isPerformed)
        #expect(
            walk.results == [
                .failure(
                    FileError(.unavailable, "The upload could not be written to disk. Send it again."))
            ])
        // The operator still learns why.
        let error = #expect(throws: FileError.self) { try walk.results.last?.get() }
        #expect(error?.underlying as? StoreError == FinishWalk.cause)
        #expect(walk.fixture.names(in: "").isEmpty)
        #expect(try await walk.rows().upload?.id == walk.id)
        let (upload, lease) = try await walk.fixture.resume(walk.id)
        #expect(upload.offset == 0)
        try await walk.fixture.write(FinishWalk.bytes, at: 0, lease)
        #expect(try await walk.fixture.finish(lease).hash == FinishWalk.hash)
        try await walk.recovers()
    }

    @Test(arguments: [false, true])
    func failedPreviewLeavesFileWithoutPreview(_ isPerformed: Bool) async throws {
        let walk = try await FinishWalk()
        try await walk.fail(after: Point.storePreview.rawValue, isPerformed: isPerformed)
        let file = try #require(try walk.results.last?.get())
        #expect(file.image == ImageProperties(width: 4, height: 3, placeholder: "p", hasPreview: false))
        try await walk.recovers(hasPreview: false)
    }

    @Test func failedCancelKeepsUpload() async throws {
        let walk = try await FinishWalk(announced: FileStoreFixture.hash([7]))
        try await walk.fail(after: 1, isPerformed: false)
        #expect(walk.results == [.failure(FinishWalk.failure)])
        try await walk.expects(.examine)
        walk.crash()
        // The next finish ends it.
        let (_, lease) = try await walk.fixture.resume(walk.id)
        await walk.fixture.refuses(.hashMismatch) { try await walk.fixture.finish(lease) }
        try await walk.leavesNothing()
    }
}

/// A finish whose actions are performed one at a time, on a real disk, with a catalog in memory.
private final class FinishWalk {
    struct Rows: Equatable {
        var upload: UploadRecord?
        var file: FileRecord?
    }

    static let bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + FileStoreFixture.noise(9_000)
    static let hash = FileStoreFixture.hash(bytes)
    static let cause = StoreError(.inputOutput, "The test says so.")
    static let failure = FileError.unavailable(cause)
    static let preview = ImagePreview(width: 4, height: 3, webp: Array("RIFF".utf8), placeholder: "p")

    private struct Previews: ImagePreviewing {
        func preview(
            of descriptor: Int32, format: ImageFormat, for user: UserKey
        ) async -> Result<ImagePreview, ImagePreviewFailure> { .success(FinishWalk.preview) }
    }

    private final class Answers: Sendable {
        let list = Mutex<[Result<StoredFile, FileError>]>([])
    }

    let fixture: FileStoreFixture
    let id = FileID.random()
    private let answers = Answers()
    /// `nil` after a crash.
    private var uploads: FileUploads?
    /// The last action, and its answer while the state has not received it.
    private var action = FinishState.first
    private var answer: FinishState.Answer?

    init(announced: ContentHash? = nil) async throws {
        let fixture = try FileStoreFixture { $0.previews = Previews() }
        self.fixture = fixture
        let (id, request) = (id, fixture.request(size: Self.bytes.count, hash: announced))
        let entry = try await fixture.ask {
            fixture.catalog.begin(request, id: id, quotas: FileQuotas(), now: fixture.time.wall, completion: $0)
        }
        guard case .upload(let record) = entry else { throw FileError(.conflict, "it is a file already") }
        let uploads = FileUploads(fixture.folder)
        self.uploads = uploads
        guard case .open(_, let lease) = try uploads.acquire(record, expiresAt: .ms(0)) else {
            throw FileError(.conflict, "it is a file already")
        }
        _ = try uploads.write(Self.bytes, at: 0, lease)
        try begin()
    }

    private var entry: FileUploads.Entry {
        get throws { try #require(uploads?[id]) }
    }

    func begin() throws {
        let entry = try entry
        let state = FinishState(
            announcedHash: entry.record.request.hash, isMoved: entry.isMoved, makesPreviews: true)
        entry.finishing = FileUploads.Finishing(
            state: state, completion: { [answers] result in answers.list.withLock { $0.append(result) } })
        (action, answer) = (FinishState.first, nil)
    }

    /// The answers to the waiting request.
    var results: [Result<StoredFile, FileError>] { answers.list.withLock { $0 } }

    // MARK: Actions

    /// Performs the next actions. The state does not receive the last one's answer.
    func perform(count: Int) async throws {
        for _ in 0..<count { try await performNext() }
    }

    func finish() async throws {
        while try await performNext() {}
    }

    /// Lets an action fail, and goes on to the end.
    func fail(after count: Int, isPerformed: Bool) async throws {
        try await perform(count: count)
        if let answer { action = try receive(answer) }
        if isPerformed { _ = try await result(of: action) }
        action = try receive(.failed(Self.failure))
        answer = nil
        try await finish()
    }

    /// Ends the process: only the disk and the catalog are left.
    func crash() {
        uploads = nil
    }

    /// - Returns: `false` at the end.
    @discardableResult
    private func performNext() async throws -> Bool {
        if let answer { action = try receive(answer) }
        answer = try await result(of: action)
        return answer != nil
    }

    private func receive(_ answer: FinishState.Answer) throws -> FinishState.Action {
        try #require(try entry.finishing?.state.receive(answer))
    }

    private func result(of action: FinishState.Action) async throws -> FinishState.Answer? {
        let (id, catalog) = (id, fixture.catalog)
        switch action {
        case .makePreview: return .previewed(Self.preview)
        case .claim(let hash):
            return .claimed(try await fixture.ask { catalog.claim(hash, for: id, completion: $0) })
        case .record(let type, let image):
            let now = fixture.time.wall
            let record = try await fixture.ask {
                catalog.finish(id, as: type, image: image, now: now, completion: $0)
            }
            return .recorded(record.file)
        case .cancel:
            try await fixture.ask { catalog.cancel(id, completion: $0) }
            return .cancelled
        default: return try uploads?.perform(action, for: entry)
        }
    }

    // MARK: State of disk and catalog

    func rows() async throws -> Rows {
        let id = id
        return try await fixture.ask {
            fixture.catalog.read(
                { tables throws(FileError) in Rows(upload: try tables.upload(id), file: try tables.file(id)) },
                completion: $0)
        }
    }

    func expects(_ point: FinishCrashTests.Point, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let blob = BlobID(hash: Self.hash, origin: id)
        let path = fixture.folder.path(of: blob)
        #expect(
            fixture.names(in: "uploads") == (point.leavesUpload ? [fixture.folder.path(of: id)] : []),
            sourceLocation: sourceLocation)
        #expect(
            fixture.names(in: "blobs")
                == (point.leavesBlob ? [path] : []) + (point.leavesPreview ? ["\(path).preview"] : []),
            sourceLocation: sourceLocation)
        let rows = try await rows()
        #expect((rows.upload == nil) == point.leavesFile, sourceLocation: sourceLocation)
        #expect(rows.upload?.claim == (point.leavesClaim ? blob : nil), sourceLocation: sourceLocation)
        #expect(rows.file?.blob == (point.leavesFile ? blob : nil), sourceLocation: sourceLocation)
    }

    /// The next run finishes the upload, and deletes the file.
    func recovers(hasPreview: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        crash()
        let file: StoredFile
        switch try await fixture.state(id) {
        case .finished(let stored): file = stored
        case .open(let upload, let lease):
            #expect(upload.offset == UInt64(Self.bytes.count), sourceLocation: sourceLocation)
            file = try await fixture.finish(lease)
        }
        #expect(file.hash == Self.hash, sourceLocation: sourceLocation)
        #expect(file.image?.hasPreview == hasPreview, sourceLocation: sourceLocation)
        #expect(try await fixture.contents(id) == Self.bytes, sourceLocation: sourceLocation)
        #expect(fixture.names(in: "uploads").isEmpty, sourceLocation: sourceLocation)
        if hasPreview { #expect(fixture.names(in: "blobs").count == 2, sourceLocation: sourceLocation) }
        try await fixture.delete(id)
        try await leavesNothing(sourceLocation: sourceLocation)
    }

    func leavesNothing(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        await fixture.store.tidy()
        #expect(fixture.names(in: "").isEmpty, sourceLocation: sourceLocation)
        #expect(try await rows() == Rows(), sourceLocation: sourceLocation)
        // Each use was counted once.
        let usage = try await fixture.ask {
            fixture.catalog.read(
                { tables throws(FileError) in try tables.usage(of: .alice, in: .standard) }, completion: $0)
        }
        #expect(usage == FileUsage(), sourceLocation: sourceLocation)
    }
}
