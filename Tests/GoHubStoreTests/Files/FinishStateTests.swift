import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// The decisions of a finish, without disk and catalog.
struct FinishStateTests {
    private static let hash = FileStoreFixture.hash([1])
    private static let blob = BlobID(hash: hash, origin: FileID.random())
    private static let preview = ImagePreview(width: 4, height: 3, webp: [1], placeholder: "p")
    private static let image = ImageProperties(width: 4, height: 3, placeholder: "p", hasPreview: true)
    private static let file = StoredFile(
        id: .random(), room: .lobby, owner: .alice, name: FileName(cleaning: "a"), type: .png, size: 1, hash: hash,
        createdAt: .ms(0), image: image)
    private static let failure = FileError.unavailable(StoreError("The test says so."))

    private typealias Step = (answer: FinishState.Answer, action: FinishState.Action)

    private static let imageSteps: [Step] = [
        (.examined(hash, .png), .sync),
        (.synced, .makePreview(.png)),
        (.previewed(preview), .claim(hash)),
        (.claimed(blob), .move(blob)),
        (.moved, .syncDirectories(blob)),
        (.directoriesSynced, .storePreview(preview, blob)),
        (.previewStored, .record(.png, image)),
        (.recorded(file), .succeed(file)),
    ]

    private func expect(
        _ steps: [Step], from start: FinishState, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var state = start
        #expect(state.isExamining, sourceLocation: sourceLocation)
        for step in steps {
            #expect(state.receive(step.answer) == step.action, sourceLocation: sourceLocation)
            #expect(!state.isExamining, sourceLocation: sourceLocation)
        }
    }

    private func start(announced: ContentHash? = nil, isMoved: Bool = false, makesPreviews: Bool = true) -> FinishState
    {
        FinishState(announcedHash: announced, isMoved: isMoved, makesPreviews: makesPreviews)
    }

    @Test func imageIsPreviewedBeforeItIsMoved() {
        #expect(FinishState.first == .examine)
        expect(Self.imageSteps, from: start(announced: Self.hash))
    }

    @Test(arguments: [(FileType.png, false), (.text, true), (.avif, true)])
    func otherFilesHaveNoPreview(_ type: FileType, _ makesPreviews: Bool) {
        expect(
            [
                (.examined(Self.hash, type), .sync),
                (.synced, .claim(Self.hash)),
                (.claimed(Self.blob), .move(Self.blob)),
                (.moved, .syncDirectories(Self.blob)),
                (.directoriesSynced, .record(type, nil)),
            ], from: start(makesPreviews: makesPreviews))
    }

    @Test func imageWithoutPreviewIsRecordedWithoutProperties() {
        expect(
            Self.imageSteps[..<2] + [
                (.previewed(nil), .claim(Self.hash)),
                (.claimed(Self.blob), .move(Self.blob)),
                (.moved, .syncDirectories(Self.blob)),
                (.directoriesSynced, .record(.png, nil)),
            ], from: start())
    }

    /// The folders are synced again: the crash may have come before it.
    @Test func movedBytesAreNotMovedAgain() {
        expect(
            [
                (.examined(Self.hash, .png), .makePreview(.png)),
                (.previewed(nil), .claim(Self.hash)),
                (.claimed(Self.blob), .syncDirectories(Self.blob)),
                (.directoriesSynced, .record(.png, nil)),
                (.recorded(Self.file), .succeed(Self.file)),
            ], from: start(announced: Self.hash, isMoved: true))
    }

    @Test func hashMismatchEndsUpload() throws {
        var state = start(announced: FileStoreFixture.hash([2]))
        #expect(state.receive(.examined(Self.hash, .png)) == .cancel)
        guard case .remove(let error) = state.receive(.cancelled) else {
            Issue.record("the upload was not removed")
            return
        }
        #expect(error.code == .hashMismatch)
    }

    @Test func failedCancelKeepsUpload() {
        expect(
            [(.examined(Self.hash, .png), .cancel), (.failed(Self.failure), .fail(Self.failure))],
            from: start(announced: FileStoreFixture.hash([2])))
    }

    /// The system reports a lost write once: what is on the disk is unknown then.
    @Test func failedSyncDiscardsBytes() {
        expect(Self.imageSteps[..<1] + [(.failed(Self.failure), .discard(Self.failure))], from: start())
    }

    @Test(arguments: [2, 3, 4, 5, 7])
    func otherFailuresKeepUpload(_ step: Int) {
        expect(Self.imageSteps[..<step] + [(.failed(Self.failure), .fail(Self.failure))], from: start())
    }

    @Test func failedExaminationKeepsUpload() {
        expect([(.failed(Self.failure), .fail(Self.failure))], from: start())
    }

    @Test func failedPreviewIsNotTheFilesFailure() {
        var image = Self.image
        image.hasPreview = false
        expect(Self.imageSteps[..<6] + [(.failed(Self.failure), .record(.png, image))], from: start())
    }
}
