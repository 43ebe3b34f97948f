internal import GoHubCore

/// Decides how a complete upload becomes a file. It does no I/O: the file worker performs each action and returns its
/// answer, which leads to the next action.
///
/// ```
/// action            done by    answer              what a crash after it leaves
/// examine           disk       examined            uploads/ID
/// sync              disk       synced              uploads/ID, durable
/// makePreview       previews   previewed           the same
/// claim             catalog    claimed             the upload's row names the blob, which counts the use
/// move              disk       moved               blobs/…, under a name that a power failure may take back
/// syncDirectories   disk       directoriesSynced   blobs/…, durable
/// storePreview      disk       previewStored       the preview beside it
/// record            catalog    recorded            the file's row instead of the upload's
/// succeed           worker     the end
/// ```
///
/// Each action can be repeated. So after a crash, the upload is resumed and finished like any other: `examine` begins
/// again, and `sync` and `move` are skipped if the bytes are already at the blob's place.
///
/// A failed action ends the finish with `fail`: the upload stays, and a later finish continues. There are three
/// exceptions. After a failed `sync` the bytes are unknown: `discard`, and the client sends them again. A hash other
/// than the announced one ends the upload: `cancel`, then `remove`. A failed `storePreview` leaves a file without a
/// preview.
struct FinishState: Equatable, Sendable {
    enum Action: Equatable, Sendable {
        /// Hash the stored bytes and detect their type.
        case examine
        case sync
        case makePreview(ImageFormat)
        /// Count the upload as a use of the blob with its content.
        case claim(ContentHash)
        case move(BlobID)
        case syncDirectories(BlobID)
        case storePreview(ImagePreview, BlobID)
        /// Turn the upload's row into a file's.
        case record(FileType, ImageProperties?)
        /// Remove the upload's row.
        case cancel

        // The end: the waiting request gets its answer.

        case succeed(StoredFile)
        /// The upload stays as it is.
        case fail(FileError)
        /// Remove the bytes; the upload starts over with its next lease.
        case discard(FileError)
        /// Remove the bytes of an upload that has no row any more.
        case remove(FileError)
    }

    enum Answer: Equatable, Sendable {
        case examined(ContentHash, FileType)
        case synced
        /// `nil` if no preview could be made.
        case previewed(ImagePreview?)
        case claimed(BlobID)
        case moved
        case directoriesSynced
        case previewStored
        case recorded(StoredFile)
        case cancelled
        /// The action could not be performed.
        case failed(FileError)
    }

    private struct Content: Equatable {
        let hash: ContentHash
        let type: FileType
        var preview: ImagePreview?
    }

    /// The action in progress, and the results of earlier ones. Exits: the next action, or `ended`.
    private enum Phase: Equatable {
        case examining
        case syncing(Content)
        case previewing(Content)
        case claiming(Content)
        case moving(Content, BlobID)
        case syncingDirectories(Content, BlobID)
        case storingPreview(Content, ImageProperties)
        case recording
        case cancelling(FileError)
        case ended
    }

    static let first = Action.examine

    private let announcedHash: ContentHash?
    private let isMoved: Bool
    private let makesPreviews: Bool
    private var phase = Phase.examining

    /// - Parameters:
    ///   - announcedHash: the hash that the client has announced, if any.
    ///   - isMoved: whether an earlier finish has moved the bytes to the blob's place.
    init(announcedHash: ContentHash?, isMoved: Bool, makesPreviews: Bool) {
        self.announcedHash = announcedHash
        self.isMoved = isMoved
        self.makesPreviews = makesPreviews
    }

    /// Whether `examine` is in progress. It takes several turns of the worker.
    var isExamining: Bool { phase == .examining }

    /// - Parameter answer: the answer to the last action.
    mutating func receive(_ answer: Answer) -> Action {
        switch (phase, answer) {
        case (.examining, .examined(let hash, let type)):
            guard announcedHash ?? hash == hash else { return cancel(.hashMismatch) }
            let content = Content(hash: hash, type: type)
            guard !isMoved else { return makePreview(content) }
            phase = .syncing(content)
            return .sync

        case (.syncing(let content), .synced):
            return makePreview(content)
        case (.syncing, .failed(let error)):
            return end(.discard(error))

        // The preview is made before the file is announced, so that clients know its size.
        case (.previewing(var content), .previewed(let preview)):
            content.preview = preview
            return claim(content)

        case (.claiming(let content), .claimed(let blob)):
            guard !isMoved else { return syncDirectories(content, blob) }
            phase = .moving(content, blob)
            return .move(blob)

        case (.moving(let content, let blob), .moved):
            return syncDirectories(content, blob)

        case (.syncingDirectories(let content, let blob), .directoriesSynced):
            guard let preview = content.preview else { return record(content.type, nil) }
            phase = .storingPreview(content, ImageProperties(of: preview))
            return .storePreview(preview, blob)

        case (.storingPreview(let content, let image), .previewStored):
            return record(content.type, image)
        case (.storingPreview(let content, var image), .failed):
            image.hasPreview = false
            return record(content.type, image)

        case (.recording, .recorded(let file)):
            return end(.succeed(file))

        case (.cancelling(let error), .cancelled):
            return end(.remove(error))

        case (_, .failed(let error)):
            return end(.fail(error))
        default:
            assertionFailure("\(answer) does not answer \(phase)")
            return end(.fail(.unavailable(StoreError("A finish received an answer to another action."))))
        }
    }

    private mutating func makePreview(_ content: Content) -> Action {
        guard makesPreviews, let format = ImageFormat(content.type) else { return claim(content) }
        phase = .previewing(content)
        return .makePreview(format)
    }

    private mutating func claim(_ content: Content) -> Action {
        phase = .claiming(content)
        return .claim(content.hash)
    }

    private mutating func syncDirectories(_ content: Content, _ blob: BlobID) -> Action {
        phase = .syncingDirectories(content, blob)
        return .syncDirectories(blob)
    }

    private mutating func record(_ type: FileType, _ image: ImageProperties?) -> Action {
        phase = .recording
        return .record(type, image)
    }

    private mutating func cancel(_ error: FileError) -> Action {
        phase = .cancelling(error)
        return .cancel
    }

    private mutating func end(_ action: Action) -> Action {
        phase = .ended
        return action
    }
}

extension ImageProperties {
    fileprivate init(of preview: ImagePreview) {
        self.init(width: preview.width, height: preview.height, placeholder: preview.placeholder, hasPreview: true)
    }
}

extension FileError {
    fileprivate static let hashMismatch = FileError(
        .hashMismatch,
        "SHA-256 mismatch: the uploaded bytes do not match the announced hash. Start the upload again.")
}
