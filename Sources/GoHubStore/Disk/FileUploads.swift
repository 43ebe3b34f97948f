internal import Crypto
internal import Glibc
internal import GoHubCore

/// The uploads of a lane that are, or were just, being written. Belongs to the lane's thread.
final class FileUploads {
    /// Exits: `paused` ⇄ `open` → `finishing` → gone, or back to `open` when it couldn't be finished.
    final class Entry {
        var record: UploadRecord
        /// The number of the lease that may write; 0 for none.
        var lease: UInt64 = 0
        /// Open while there is a lease.
        var file: OpenFile?
        var offset: UInt64 = 0
        /// Up to where the disk has it.
        var writtenBack: UInt64 = 0
        /// Of the first `hashed` bytes. After a restart it begins anew, and reads again what is stored.
        var hasher = SHA256()
        var hashed: UInt64 = 0
        var isHashing = false
        /// All bytes' hash, when it is known.
        var hash: ContentHash?
        /// Whether its bytes are at the blob's place already.
        var isMoved = false
        /// Who waits for its end.
        var finish: FileCompletion<StoredFile>?
        /// Whether the lease was given back while it was being finished.
        var isReleased = false
        var usedAt: UInt64 = 0

        init(_ record: UploadRecord) {
            self.record = record
        }

        var isFinishing: Bool { finish != nil }

        /// When all is hashed.
        func wholeHash() throws(FileError) -> ContentHash {
            guard let hash = hash ?? ContentHash(bytes: hasher.finalize()) else {
                throw .unavailable("SHA-256 has come to something else than 32 bytes")
            }
            self.hash = hash
            return hash
        }
    }

    let folder: FileFolder
    private var entries: [FileID: Entry] = [:]
    private var uses: UInt64 = 0
    /// Numbers of leases: no two runs of the hub give the same, so that one from before a restart is never taken for another.
    private var lastLease = UInt64.random(in: 1 ... .max / 2)

    /// Those that nobody writes to are remembered for the state of their hash, which is only for speed.
    private static let pausedMax = 256
    /// Those that are open at a time, each with a descriptor; more are refused.
    private static let openMax = 64

    init(_ folder: FileFolder) {
        self.folder = folder
    }

    subscript(id: FileID) -> Entry? { entries[id] }

    /// The entry that a lease may write to.
    func leased(_ lease: UploadLease) throws(FileError) -> Entry {
        guard let entry = entries[lease.id], entry.lease == lease.number, !entry.isFinishing else {
            throw .superseded
        }
        uses += 1
        entry.usedAt = uses
        return entry
    }

    // MARK: Taking up

    /// Gives the next lease of an upload.
    func takeUp(_ record: UploadRecord, expiresAt: WallTime) throws(FileError) -> UploadState {
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
        entry.isReleased = false
        let upload = Upload(id: record.id, request: record.request, offset: entry.offset, expiresAt: expiresAt)
        return .open(upload, UploadLease(id: record.id, number: lastLease))
    }

    private func open(_ entry: Entry) throws(FileError) {
        let (id, size) = (entry.record.id, entry.record.request.size)
        // Moved, and then the hub was killed before it could say so.
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
            // No hub wrote that.
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

    func release(_ lease: UploadLease) {
        guard let entry = entries[lease.id], entry.lease == lease.number else { return }
        guard !entry.isFinishing else {
            entry.isReleased = true
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

    /// An upload couldn't be finished, and stays as it is.
    func fail(_ entry: Entry, _ error: FileError) {
        let waiting = entry.finish
        entry.finish = nil
        if entry.isReleased { release(UploadLease(id: entry.record.id, number: entry.lease)) }
        waiting?(.failure(error))
    }

    /// An upload has become a file.
    func finish(_ entry: Entry, as file: StoredFile) {
        entries[entry.record.id] = nil
        entry.finish?(.success(file))
    }

    /// Forgets an upload and removes its bytes. Who waits for its end is told why it comes to nothing.
    func remove(_ id: FileID, _ error: FileError) {
        let waiting = entries.removeValue(forKey: id)?.finish
        folder.remove(id)
        waiting?(.failure(error))
    }

    /// Nothing is done here any more: who still waits is told so.
    func close() {
        let waiting = entries.values.compactMap(\.finish)
        entries = [:]
        for completion in waiting { completion(.failure(.unavailable("the files' store was closed"))) }
    }

    // MARK: Writing

    /// - Returns: how many bytes are stored.
    func write(_ bytes: [UInt8], at offset: UInt64, _ lease: UploadLease) throws(FileError) -> UInt64 {
        let entry = try leased(lease)
        guard !bytes.isEmpty, bytes.count <= FilePiece.bytesMax else {
            throw FileError(.invalid, "A write has 1 to \(FilePiece.bytesMax) bytes.")
        }
        guard offset == entry.offset else { throw .wrongOffset(expected: entry.offset) }
        guard UInt64(bytes.count) <= entry.record.request.size - offset else {
            throw FileError(
                .sizeMismatch, "The upload was to have \(entry.record.request.size) bytes, and this is more.")
        }
        // Whoever has a lease has the file.
        guard let file = entry.file, !entry.isMoved else { throw .superseded }
        let (count, error) = file.write(bytes, at: offset)
        if entry.hashed == offset {
            // Inside the buffer: no more was written than it has.
            bytes.withUnsafeBytes { entry.hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            entry.hashed += UInt64(count)
        }
        entry.offset += UInt64(count)
        if let error { throw error }
        if entry.offset - entry.writtenBack >= Writeback.bytesMax {
            do throws(FileError) {
                try folder.writeback.write(file, from: entry.writtenBack, to: entry.offset)
            } catch {
                throw lose(entry, error)
            }
            entry.writtenBack = entry.offset
        }
        return entry.offset
    }

    /// The disk couldn't keep what was written. The system may have thrown it away, and would say next time that all is well:
    /// the upload begins anew with its next lease.
    ///
    /// - Returns: what the client is told.
    @discardableResult
    func lose(_ entry: Entry, _ error: FileError) -> FileError {
        let error = FileError(error.code, "The disk could not keep the upload; send it again.", detail: error.detail)
        remove(entry.record.id, error)
        return error
    }

    // MARK: Hashing

    /// Bytes that are read again in one go; in between others have their turn.
    private static let hashBytes = 4 * 1024 * 1024

    /// Reads a part of what isn't hashed yet.
    ///
    /// - Returns: whether there is more.
    func hashStored(_ entry: Entry) throws(FileError) -> Bool {
        guard let file = entry.file, !entry.isMoved else { return false }
        let end = min(entry.offset, entry.hashed + UInt64(Self.hashBytes))
        while entry.hashed < end {
            let bytes = try file.read(
                at: entry.hashed, bytesMax: Int(min(end - entry.hashed, UInt64(FilePiece.bytesMax))))
            guard !bytes.isEmpty else {
                throw .unavailable("\(folder.path(of: entry.record.id)) is shorter than it was")
            }
            bytes.withUnsafeBytes { entry.hasher.update(bufferPointer: $0) }
            entry.hashed += UInt64(bytes.count)
        }
        return entry.hashed < entry.offset
    }
}
