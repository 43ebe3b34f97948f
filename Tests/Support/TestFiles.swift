public import GoHubCore
internal import Testing

/// The files that a store's messages may hold, as a test makes them and looks at them.
public protocol TestFiles: Sendable {
    /// Adds a complete file that no message holds, unused since the beginning of time.
    func add(_ file: StoredFile) async
    func remove(_ id: FileID) async
    /// - Returns: `nil` for a file that isn't there.
    func use(of id: FileID) async -> FileUse?
}

/// Whether messages hold a file.
public struct FileUse: Hashable, Sendable {
    public var count: Int
    public var unusedSince: WallTime

    public init(count: Int, unusedSince: WallTime) {
        self.count = count
        self.unusedSince = unusedSince
    }
}

/// None, and none can be added.
struct NoFiles: TestFiles {
    func add(_ file: StoredFile) {}
    func remove(_ id: FileID) {}
    func use(of id: FileID) -> FileUse? { nil }
}

/// What a catalog has, without bytes.
public struct CatalogFiles: TestFiles {
    private let catalog: any FileCatalog

    public init(_ catalog: any FileCatalog) {
        self.catalog = catalog
    }

    public func add(_ file: StoredFile) async {
        await change { tables throws(FileError) in
            let blob = BlobID(hash: file.hash, origin: file.id)
            try tables.add(blob)
            try tables.addUses(1, of: blob)
            // A file's id is as good a command's as any.
            guard let command = CommandID(file.id.value) else { return }
            try tables.add(FileRecord(file: file, command: command, blob: blob, uses: 0, unusedSince: .ms(0)))
        }
    }

    public func remove(_ id: FileID) async {
        await change { tables throws(FileError) in
            if let file = try tables.file(id) { try tables.addUses(-1, of: file.blob) }
            try tables.removeFile(id)
        }
    }

    public func use(of id: FileID) async -> FileUse? {
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

extension StoredFile {
    /// A file of Alice's.
    public static func test(
        _ name: String = "a.png", in room: RoomID, type: FileType = .png, size: UInt64 = 7,
        image: ImageProperties? = nil
    ) -> StoredFile {
        // Any 32 bytes are some file's hash.
        let hash = ContentHash(bytes: (0..<32).map { _ in UInt8.random(in: .min ... .max) })
        guard let hash else { preconditionFailure("a hash has 32 bytes") }
        return StoredFile(
            id: .random(), room: room, owner: .alice, name: FileName(cleaning: name), type: type, size: size,
            hash: hash, createdAt: .ms(0), image: image)
    }
}
