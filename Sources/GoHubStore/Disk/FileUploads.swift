internal import Crypto
internal import Glibc
internal import GoHubCore

/// The uploads of a lane that are or were recently being written. Belongs to the lane's thread.
final class FileUploads {
    /// Exits: `paused` ⇄ `open` → `finishing` → removed, or back to `open` when it couldn't be finished.
    final class Entry {
        var record: UploadRecord
        /// The number of the current lease; 0 for none.
        var lease: UInt64 = 0
        /// Open while there is a lease.
        var file: OpenFile?
        var offset: UInt64 = 0
        /// The offset up to which the disk has the bytes.
        var writtenBack: UInt64 = 0
        /// The hash of the first `hashed` bytes. After a restart it starts over and reads the stored bytes again.
        var hasher = SHA256()
        var hashed: UInt64 = 0
        var isHashing = false
        /// The hash of all bytes, when it is known.
        var hash: ContentHash?
        /// Whether the bytes are already at the blob's place.
        var isMoved = false
        /// The finish in progress.
        var finishing: Finishing?
        var usedAt: UInt64 = 0

        init(_ record: UploadRecord) {
            self.record = record
        }

        var isFinishing: Bool { finishing != nil }

        /// The final hash, once everything is hashed.
        func wholeHash() throws(FileError) -> ContentHash {
            guard let hash = hash ?? ContentHash(bytes: hasher.finalize()) else {
                throw .unavailable(StoreError("The SHA-256 digest does not have 32 bytes."))
            }
            self.hash = hash
            return hash
        }
    }

    struct Finishing {
        var state: FinishState
        /// The completion that waits for the end.
        let completion: FileCompletion<StoredFile>
        /// Whether the lease was released since.
        var isReleased = false
    }

    let folder: FileFolder
    private var entries: [FileID: Entry] = [:]
    private var uses: UInt64 = 0
    /// Lease numbers start at random, so that two runs of the hub assign different ones and a lease from before a
    /// restart is never valid.
    private var lastLease = UInt64.random(in: 1 ... .max / 2)

    /// Uploads without a writer are kept only for their hash state, to save time.
    private static let pausedMax = 256
    /// The maximum number of open uploads, each with a descriptor; further ones are refused.
    private static let openMax = 64

    init(_ folder: FileFolder) {
        self.folder = folder
    }

    subscript(id: FileID) -> Entry? { entries[id] }

    /// The entry that a lease may write to.
    func leased(_ lease: Upload.Lease) throws(FileError) -> Entry {
        guard let entry = entries[lease.id], entry.lease == lease.number, !entry.isFinishing else {
            throw .superseded
        }
        uses += 1
        entry.usedAt = uses
        return entry
    }

    // MARK: Resuming

    /// Issues the next lease of an upload.
    func acquire(_ record: UploadRecord, expiresAt: WallTime) throws(FileError) -> Upload.State {
        let entry = entries[record.id] ?? Entry(record)
        guard !entry.isFinishing else { throw .busy }
        entry.record = record
        if entry.file == nil {
            guard entries.values.count(where: { $0.file != nil }) < Self.openMax else { throw .busy }
            try open(entry)
        }
        entries[record.id] = entry
        uses += 1
        lastLease += 1
        entry.usedAt = uses
        entry.lease = lastLease
        let upload = Upload(id: record.id, request: record.request, offset: entry.offset, expiresAt: expiresAt)
        return .open(upload, Upload.Lease(id: record.id, number: lastLease))
    }

    private func open(_ entry: Entry) throws(FileError) {
        let (id, size) = (entry.record.id, entry.record.request.size)
        // The hub crashed after the move, before the catalog was updated.
        if let claim = entry.record.claim, !folder.hasUpload(id), folder.size(of: claim) == size {
            entry.file = try folder.open(claim)
            entry.offset = size
            entry.hash = claim.hash
            entry.isMoved = true
            return
        }
        let file = try folder.open(id)
        var stored = UInt64(clamping: try file.status().st_size)
        if stored > size {
            // GoHub never writes that.
            try file.truncate()
            stored = 0
        }
        if entry.hashed > stored { (entry.hasher, entry.hashed) = (SHA256(), 0) }
        entry.file = file
        entry.offset = stored
        entry.writtenBack = stored
        entry.hash = nil
        entry.isMoved = false
    }

    func release(_ lease: Upload.Lease) {
        guard let entry = entries[lease.id], entry.lease == lease.number else { return }
        guard !entry.isFinishing else {
            entry.finishing?.isReleased = true
            return
        }
        entry.lease = 0
        entry.file = nil
        let paused = entries.filter { $0.value.lease == 0 }
        guard paused.count > Self.pausedMax, let oldest = paused.min(by: { $0.value.usedAt < $1.value.usedAt }) else {
            return
        }
        entries[oldest.key] = nil
    }

    /// Handles an upload that couldn't be finished and stays as it is.
    func fail(_ entry: Entry, _ error: FileError) {
        let waiting = entry.finishing
        entry.finishing = nil
        if waiting?.isReleased == true { release(Upload.Lease(id: entry.record.id, number: entry.lease)) }
        waiting?.completion(.failure(error))
    }

    /// Handles an upload that has become a file.
    func finish(_ entry: Entry, as file: StoredFile) {
        entries[entry.record.id] = nil
        entry.finishing?.completion(.success(file))
    }

    /// Forgets an upload and removes its bytes. The waiting completion receives the error.
    func remove(_ id: FileID, _ error: FileError) {
        let waiting = entries.removeValue(forKey: id)?.finishing
        folder.remove(id)
        waiting?.completion(.failure(error))
    }

    /// Ends all work here and answers all waiting completions.
    func close() {
        let waiting = entries.values.compactMap(\.finishing)
        entries = [:]
        let error = FileError.unavailable(StoreError(.closed, "The file store was closed."))
        for finishing in waiting { finishing.completion(.failure(error)) }
    }

    // MARK: Writing

    /// - Returns: the number of bytes stored.
    func write(_ bytes: [UInt8], at offset: UInt64, _ lease: Upload.Lease) throws(FileError) -> UInt64 {
        let entry = try leased(lease)
        guard !bytes.isEmpty, bytes.count <= FilePiece.bytesMax else {
            throw FileError(.invalid, "A write must be 1 to \(FilePiece.bytesMax) bytes long.")
        }
        guard offset == entry.offset else { throw .wrongOffset(expected: entry.offset) }
        guard UInt64(bytes.count) <= entry.record.request.size - offset else {
            throw FileError(
                .sizeMismatch, "The data exceeds the upload's announced size of \(entry.record.request.size) bytes.")
        }
        // The holder of a lease has the file open.
        guard let file = entry.file, !entry.isMoved else { throw .superseded }
        let (count, error) = file.write(bytes, at: offset)
        if entry.hashed == offset {
            // Inside the buffer: at most its size was written.
            bytes.withUnsafeBytes { entry.hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            entry.hashed += UInt64(count)
        }
        entry.offset += UInt64(count)
        if let error { throw error }
        if entry.offset - entry.writtenBack >= Writeback.bytesMax {
            do throws(FileError) {
                try folder.writeback.write(file, from: entry.writtenBack, to: entry.offset)
            } catch {
                throw discardCorrupt(entry, error)
            }
            entry.writtenBack = entry.offset
        }
        return entry.offset
    }

    /// Handles a failed write to the disk. The system may have discarded the bytes, and would report success next time:
    /// the upload starts over with its next lease.
    ///
    /// - Returns: the error for the client.
    @discardableResult
    func discardCorrupt(_ entry: Entry, _ error: FileError) -> FileError {
        let error = FileError(
            error.code, "The upload could not be written to disk. Send it again.", underlying: error.underlying)
        remove(entry.record.id, error)
        return error
    }

    // MARK: Hashing

    /// Bytes that are read again at once, before other work gets a turn.
    private static let hashBytes = 4 * 1024 * 1024

    /// Hashes a part of the stored bytes (`needsHashing`).
    func hashStored(_ entry: Entry) throws(FileError) {
        guard let file = entry.file, !entry.isMoved else { return }
        let end = min(entry.offset, entry.hashed + UInt64(Self.hashBytes))
        while entry.hashed < end {
            let bytes = try file.read(
                at: entry.hashed, bytesMax: Int(min(end - entry.hashed, UInt64(FilePiece.bytesMax))))
            guard !bytes.isEmpty else {
                throw .unavailable(
                    StoreError(.corrupt, "\(folder.path(of: entry.record.id)) is shorter than expected."))
            }
            bytes.withUnsafeBytes { entry.hasher.update(bufferPointer: $0) }
            entry.hashed += UInt64(bytes.count)
        }
    }
}
