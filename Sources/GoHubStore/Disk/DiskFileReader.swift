internal import GoHubCore

/// An open file of a `DiskFileStore`.
final class DiskFileReader: FileReader {
    let file: StoredFile
    private let open: OpenFile
    private let worker: FileWorker
    /// Frees its slot on release.
    private let slot: ReaderSlot

    init(_ file: StoredFile, _ open: OpenFile, _ worker: FileWorker, _ slot: ReaderSlot) {
        self.file = file
        self.open = open
        self.worker = worker
        self.slot = slot
    }

    func read(at offset: UInt64, bytesMax: Int, completion: @escaping FileCompletion<[UInt8]>) {
        guard bytesMax > 0 else {
            return completion(.failure(FileError(.invalid, "A read must be at least 1 byte long.")))
        }
        guard offset < file.size else { return completion(.success([])) }
        // Below the bound, so it is an `Int`.
        let wanted = Int(min(UInt64(min(bytesMax, FilePiece.bytesMax)), file.size - offset))
        worker.resume(
            FileWorker.Job(
                run: { [open, file] _ in
                    do throws(FileError) {
                        let bytes = try open.read(at: offset, bytesMax: wanted)
                        guard bytes.count == wanted else { throw .truncated(file.id) }
                        completion(.success(bytes))
                    } catch {
                        completion(.failure(error))
                    }
                }, refuse: { completion(.failure($0)) }))
    }
}

/// A slot for an open file.
final class ReaderSlot: Sendable {
    private let leave: @Sendable () -> Void

    init(leave: @escaping @Sendable () -> Void) {
        self.leave = leave
    }

    deinit {
        leave()
    }
}
