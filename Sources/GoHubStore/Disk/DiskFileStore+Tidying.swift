internal import GoHubCore
internal import Synchronization

/// Periodic cleanup: run by the daemon every few minutes, by an embedder at will.
extension DiskFileStore {
    /// Examined at once; the rest follows next time.
    private static let batch = 1000
    /// An upload is recorded before its file is created, so an unrecorded file belongs to a cancelled upload. The delay
    /// makes small clock errors harmless.
    private static let orphansKeptFor = Milliseconds.seconds(3600)

    /// Ends expired uploads, removes unused files (`Options.unusedKeptFor`), and removes unrecorded bytes: those of
    /// uploads, and of a 256th of the blobs each time. Several nodes may run it at once.
    public func tidy() async {
        do throws(FileError) {
            try await expireUploads()
            try await collectUnused()
            await withCheckedContinuation { continuation in collectBlobs { continuation.resume() } }
            try await removeOrphans()
        } catch {
            options.report("cleaning up files failed \(error.logText)")
        }
    }

    private func expireUploads() async throws(FileError) {
        let time = options.clock().before(by: options.uploadsExpireAfter)
        let old = try await ask { catalog.uploads(untouchedSince: time, max: Self.batch, completion: $0) }
        for upload in old {
            // Writes aren't recorded individually; the file shows the last one.
            if let writtenAt = await blocking({ $0.writtenAt(upload.id) }) ?? nil, time < writtenAt {
                try await ask { catalog.touch(upload.id, at: writtenAt, completion: $0) }
                continue
            }
            do throws(FileError) {
                try await ask { catalog.cancel(upload.id, untouchedSince: time, completion: $0) }
            } catch {
                // Another request has resumed or ended it.
                guard error.code == .notFound else { throw error }
                continue
            }
            await withCheckedContinuation { continuation in remove(upload.id) { continuation.resume() } }
        }
    }

    private func collectUnused() async throws(FileError) {
        guard let time = options.unusedKeptFor.map({ options.clock().before(by: $0) }) else { return }
        let files = try await ask { catalog.unused(since: time, max: Self.batch, completion: $0) }
        for file in files {
            try await ask { catalog.delete(file.id, in: file.room.tenant, onlyUnused: true, completion: $0) }
        }
    }

    private func removeOrphans() async throws(FileError) {
        let time = options.clock().before(by: Self.orphansKeptFor)
        try await walk({ $0.uploads(skipping: $1, max: Self.batch) }) { ids throws(FileError) in
            let old = await blocking { folder in
                ids.filter { id in folder.writtenAt(id).map { $0 < time } ?? false }
            }
            let unknown = try await ask { catalog.unknownUploads(among: Array(old ?? []), completion: $0) }
            for id in unknown { await withCheckedContinuation { continuation in remove(id) { continuation.resume() } } }
            return unknown.count
        }
        let first = nextDigits.wrappingAdd(1, ordering: .relaxed).oldValue & 0xFF
        for second in 0...0xFF {
            let digits = Self.digits(first) + Self.digits(second)
            try await walk({ $0.blobs(digits, skipping: $1, max: Self.batch) }) { ids throws(FileError) in
                // A blob is recorded before it is moved there, and its name is unique. So an unknown one will never
                // become known.
                let unknown = try await ask { catalog.unknownBlobs(among: Array(ids), completion: $0) }
                _ = await blocking { folder in for blob in unknown { folder.remove(blob) } }
                return unknown.count
            }
        }
    }

    private static func digits(_ number: Int) -> String { (number < 16 ? "0" : "") + String(number, radix: 16) }

    /// Iterates over a folder in parts.
    ///
    /// - Parameter remove: receives a part, and returns how many of its entries were removed.
    private func walk<ID>(
        _ list: @escaping @Sendable (FileFolder, Int) -> FileFolder.Listing<ID>,
        _ remove: (Set<ID>) async throws(FileError) -> Int
    ) async throws(FileError) {
        var skipped = 0
        while true {
            let place = skipped
            let part = await blocking { list($0, place) } ?? FileFolder.Listing()
            if !part.ids.isEmpty { skipped -= try await remove(part.ids) }
            skipped = max(0, skipped + part.count)
            // Removed entries move the others up: some may be skipped until the next time.
            guard part.count == Self.batch else { return }
        }
    }

    private func ask<Value: Sendable>(
        _ question: (@escaping FileCompletion<Value>) -> Void
    ) async throws(FileError) -> Value {
        let result = await withCheckedContinuation { continuation in
            question { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}
