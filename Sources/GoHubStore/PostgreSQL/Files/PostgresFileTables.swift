internal import GoHubCore

/// The rows of uploads, files and blobs in PostgreSQL, for one transaction. Belongs to the link's thread.
///
/// One transaction runs at a time, on all nodes: each takes the same advisory lock first; read-only ones don't. Files
/// change about a hundred times less often than messages, and operations without concurrency are easier to verify.
final class PostgresFileTables: FileTables {
    private let connection: PostgresConnection
    private let deadline: MonotonicTime
    /// The error of the last failed statement.
    private var failure: PostgresFailure?

    init(_ connection: PostgresConnection, deadline: MonotonicTime) {
        self.connection = connection
        self.deadline = deadline
    }

    /// Runs a body, and reports its result when it is committed.
    func transaction<Value>(
        _ body: (any FileTables) throws(FileError) -> Value, _ completion: FileCompletion<Value>
    ) throws(PostgresFailure) {
        do throws(PostgresFailure) {
            _ = try connection.run([.sql("BEGIN"), .run(name: "lock_files", [])], deadline: deadline)
            let value: Value
            do throws(FileError) {
                value = try body(self)
            } catch {
                if let failure { throw failure }
                _ = try connection.run([.sql("ROLLBACK")], deadline: deadline)
                return completion(.failure(error))
            }
            _ = try connection.run([.sql("COMMIT")], deadline: deadline)
            completion(.success(value))
        } catch {
            completion(.failure(.unavailable(error.error)))
            if !error.endsConnection { _ = try connection.run([.sql("ROLLBACK")], deadline: deadline) }
            throw error
        }
    }

    /// Runs a read-only body, without the lock.
    func look<Value>(
        _ body: (any FileTables) throws(FileError) -> Value, _ completion: FileCompletion<Value>
    ) throws(PostgresFailure) {
        do throws(FileError) {
            completion(.success(try body(self)))
        } catch {
            completion(.failure(error))
            if let failure { throw failure }
        }
    }

    @discardableResult
    private func run(_ name: String, _ parameters: [PostgresParameter]) throws(FileError) -> PostgresResult {
        do throws(PostgresFailure) {
            let results = try connection.run([.run(name: name, parameters)], deadline: deadline)
            // There are as many results as commands.
            return results[0]
        } catch {
            failure = error
            throw .unavailable(error.error)
        }
    }

    private func read<Value>(_ body: () throws(StoreError) -> Value) throws(FileError) -> Value {
        do throws(StoreError) {
            return try body()
        } catch {
            throw .unavailable(error)
        }
    }

    private static let columns = FileColumns("PostgreSQL")

    private static func parameters(_ key: UploadKey) -> [PostgresParameter] {
        [
            .text(key.room.tenant.value), .text(key.room.name.value), .text(key.owner.value), .text(key.command.value),
        ]
    }

    // MARK: Uploads

    func upload(_ id: FileID) throws(FileError) -> UploadRecord? {
        try uploads(try run("find_upload", [.text(id.value)])).first
    }

    func upload(_ key: UploadKey) throws(FileError) -> UploadRecord? {
        try uploads(try run("find_upload_by_key", Self.parameters(key))).first
    }

    func add(_ upload: UploadRecord) throws(FileError) {
        let request = upload.request
        try run(
            "add_upload",
            [.text(upload.id.value)] + Self.parameters(request.key) + [
                .text(request.name.value), .text(request.declaredType), .bigint(Int64(clamping: request.size)),
                .text(request.hash?.hex ?? ""), .bigint(upload.touchedAt.milliseconds),
                .text(upload.claim?.description ?? ""),
            ])
    }

    func update(_ upload: UploadRecord) throws(FileError) {
        try run(
            "update_upload",
            [
                .text(upload.id.value), .bigint(upload.touchedAt.milliseconds), .text(upload.claim?.description ?? ""),
            ])
    }

    func removeUpload(_ id: FileID) throws(FileError) { try run("remove_upload", [.text(id.value)]) }

    func uploads(untouchedSince time: WallTime, max: Int) throws(FileError) -> [UploadRecord] {
        try uploads(try run("old_uploads", [.bigint(time.milliseconds), .bigint(Int64(max))]))
    }

    private func uploads(_ rows: PostgresResult) throws(FileError) -> [UploadRecord] {
        try read { () throws(StoreError) in
            var uploads: [UploadRecord] = []
            for row in 0..<rows.rows { uploads.append(try Self.columns.upload(Row(rows, row))) }
            return uploads
        }
    }

    // MARK: Files

    func file(_ id: FileID) throws(FileError) -> FileRecord? {
        try files(try run("find_file", [.text(id.value)])).first
    }

    func file(_ key: UploadKey) throws(FileError) -> FileRecord? {
        try files(try run("find_file_by_key", Self.parameters(key))).first
    }

    func add(_ record: FileRecord) throws(FileError) {
        let file = record.file
        try run(
            "add_file",
            [.text(file.id.value)] + Self.parameters(record.key) + [
                .text(file.name.value), .text(file.type.rawValue), .bigint(Int64(clamping: file.size)),
                .text(record.blob.description), .bigint(file.createdAt.milliseconds), .bigint(Int64(record.uses)),
                .bigint(record.unusedSince.milliseconds),
            ])
        if let image = file.image { try describe(file.id, as: image) }
    }

    private func describe(_ id: FileID, as image: ImageProperties) throws(FileError) {
        try run(
            "describe_file",
            [
                .text(id.value), .bigint(Int64(image.width)), .bigint(Int64(image.height)), .text(image.placeholder),
                .bigint(image.hasPreview ? 1 : 0),
            ])
    }

    func removeFile(_ id: FileID) throws(FileError) { try run("remove_file", [.text(id.value)]) }

    func files(unusedSince time: WallTime, max: Int) throws(FileError) -> [FileRecord] {
        try files(try run("unused_files", [.bigint(time.milliseconds), .bigint(Int64(max))]))
    }

    private func files(_ rows: PostgresResult) throws(FileError) -> [FileRecord] {
        try read { () throws(StoreError) in try Self.files(rows) }
    }

    /// Rows of `FileColumns.ofFile`.
    static func files(_ rows: PostgresResult) throws(StoreError) -> [FileRecord] {
        var files: [FileRecord] = []
        for row in 0..<rows.rows { files.append(try columns.file(Row(rows, row))) }
        return files
    }

    private struct Row: FileRow {
        let rows: PostgresResult
        let row: Int

        init(_ rows: PostgresResult, _ row: Int) {
            self.rows = rows
            self.row = row
        }

        func text(_ column: Int32) -> String { rows.text(row, Int(column)) }
        func integer(_ column: Int32) -> Int64 { rows.integer(row, Int(column)) }
        func isNull(_ column: Int32) -> Bool { rows.isNull(row, Int(column)) }
    }

    // MARK: Usage

    func usage(of owner: UserID?, in tenant: TenantID) throws(FileError) -> FileUsage {
        // No user's id is empty.
        let rows = try run("find_usage", [.text(tenant.value), .text(owner?.value ?? "")])
        guard rows.rows > 0 else { return FileUsage() }
        return FileUsage(bytes: UInt64(clamping: rows.integer(0, 0)), uploads: Int(clamping: rows.integer(0, 1)))
    }

    func addUsage(bytes: Int64, uploads: Int, of owner: UserKey) throws(FileError) {
        for name in [owner.user.value, ""] {
            try run(
                "change_usage", [.text(owner.tenant.value), .text(name), .bigint(bytes), .bigint(Int64(uploads))])
        }
    }

    // MARK: Blobs

    func blob(_ hash: ContentHash) throws(FileError) -> BlobID? {
        let rows = try run("find_blob", [.text(hash.hex)])
        guard rows.rows > 0 else { return nil }
        return try read { () throws(StoreError) in BlobID(hash: hash, origin: try Self.columns.id(rows.text(0, 0))) }
    }

    func add(_ blob: BlobID) throws(FileError) {
        try run("add_blob", [.text(blob.hash.hex), .text(blob.origin.value)])
    }

    func addUses(_ difference: Int, of blob: BlobID) throws(FileError) {
        try run("change_uses", [.text(blob.hash.hex), .bigint(Int64(difference))])
    }

    func isKnown(_ blob: BlobID) throws(FileError) -> Bool { try self.blob(blob.hash) == blob }

    func removeUnusedBlobs(max: Int) throws(FileError) -> [BlobID] {
        let rows = try run("remove_blobs", [.bigint(Int64(max))])
        return try read { () throws(StoreError) in
            var blobs: [BlobID] = []
            for row in 0..<rows.rows {
                blobs.append(
                    BlobID(
                        hash: try Self.columns.hash(rows.text(row, 0)), origin: try Self.columns.id(rows.text(row, 1))))
            }
            return blobs
        }
    }
}
