import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

/// Catalog entries without bytes.
struct CatalogFiles: TestFiles {
    private let catalog: any FileCatalog

    init(_ catalog: any FileCatalog) {
        self.catalog = catalog
    }

    func add(_ file: StoredFile) async {
        await change { tables throws(FileError) in
            let blob = BlobID(hash: file.hash, origin: file.id)
            try tables.add(blob)
            try tables.addUses(1, of: blob)
            // A file id can serve as a command id.
            guard let command = CommandID(file.id.value) else { return }
            try tables.add(FileRecord(file: file, command: command, blob: blob, uses: 0, unusedSince: .ms(0)))
        }
    }

    func remove(_ id: FileID) async {
        await change { tables throws(FileError) in
            if let file = try tables.file(id) { try tables.addUses(-1, of: file.blob) }
            try tables.removeFile(id)
        }
    }

    func use(of id: FileID) async -> FileUse? {
        await change { tables throws(FileError) in
            try tables.file(id).map { FileUse(count: $0.uses, unusedSince: $0.unusedSince) }
        }.flatMap { $0 }
    }

    @discardableResult
    private func change<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value
    ) async -> Value? {
        let result: Result<Value, FileError> = await withCheckedContinuation { continuation in
            catalog.transaction(body) { continuation.resume(returning: $0) }
        }
        #expect(throws: Never.self) { try result.get() }
        return try? result.get()
    }
}
