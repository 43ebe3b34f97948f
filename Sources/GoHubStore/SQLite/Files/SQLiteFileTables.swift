internal import GoHubCore

/// The rows of uploads, files and blobs in an SQLite file. Belongs to the store's writing thread.
final class SQLiteFileTables: FileTables {
    private let connection: SQLiteConnection
    private let findUpload: SQLiteStatement
    private let findUploadByKey: SQLiteStatement
    private let addUpload: SQLiteStatement
    private let updateUpload: SQLiteStatement
    private let removeUpload: SQLiteStatement
    private let oldUploads: SQLiteStatement
    private let findFile: SQLiteStatement
    private let findFileByKey: SQLiteStatement
    private let addFile: SQLiteStatement
    private let removeFile: SQLiteStatement
    private let unusedFiles: SQLiteStatement
    private let findUsage: SQLiteStatement
    private let changeUsage: SQLiteStatement
    private let findBlob: SQLiteStatement
    private let addBlob: SQLiteStatement
    private let changeUses: SQLiteStatement
    private let unusedBlobs: SQLiteStatement
    private let removeBlob: SQLiteStatement

    init(_ connection: SQLiteConnection) throws(StoreError) {
        self.connection = connection
        let byKey = "tenant = ?1 AND room = ?2 AND owner = ?3 AND command = ?4"
        findUpload = try connection.prepare("SELECT \(FileColumns.ofUpload) FROM upload WHERE id = ?1")
        findUploadByKey = try connection.prepare("SELECT \(FileColumns.ofUpload) FROM upload WHERE \(byKey)")
        addUpload = try connection.prepare(
            "INSERT INTO upload (\(FileColumns.ofUpload)) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
        updateUpload = try connection.prepare("UPDATE upload SET touched_at = ?2, claim = ?3 WHERE id = ?1")
        removeUpload = try connection.prepare("DELETE FROM upload WHERE id = ?1")
        oldUploads = try connection.prepare(
            "SELECT \(FileColumns.ofUpload) FROM upload WHERE touched_at <= ?1 ORDER BY touched_at LIMIT ?2")
        findFile = try connection.prepare("SELECT \(FileColumns.ofFile) FROM file WHERE id = ?1")
        findFileByKey = try connection.prepare("SELECT \(FileColumns.ofFile) FROM file WHERE \(byKey)")
        addFile = try connection.prepare(
            """
            INSERT INTO file (\(FileColumns.ofFile))
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
            """)
        removeFile = try connection.prepare("DELETE FROM file WHERE id = ?1")
        unusedFiles = try connection.prepare(
            """
            SELECT \(FileColumns.ofFile) FROM file WHERE uses = 0 AND unused_since <= ?1 ORDER BY unused_since LIMIT ?2
            """)
        findUsage = try connection.prepare("SELECT bytes, uploads FROM file_usage WHERE tenant = ?1 AND owner = ?2")
        changeUsage = try connection.prepare(
            """
            INSERT INTO file_usage (tenant, owner, bytes, uploads) VALUES (?1, ?2, max(0, ?3), max(0, ?4))
            ON CONFLICT (tenant, owner) DO UPDATE
            SET bytes = max(0, bytes + ?3), uploads = max(0, uploads + ?4)
            """)
        findBlob = try connection.prepare("SELECT origin FROM blob WHERE hash = ?1")
        addBlob = try connection.prepare("INSERT INTO blob (hash, origin, uses) VALUES (?1, ?2, 0)")
        changeUses = try connection.prepare("UPDATE blob SET uses = uses + ?2 WHERE hash = ?1")
        unusedBlobs = try connection.prepare("SELECT hash, origin FROM blob WHERE uses <= 0 LIMIT ?1")
        removeBlob = try connection.prepare("DELETE FROM blob WHERE hash = ?1")
    }

    func transaction<Value>(
        _ body: (any FileTables) throws(FileError) -> Value
    ) -> Result<Value, FileError> {
        var refusal: FileError?
        do throws(StoreError) {
            return .success(
                try connection.transaction { () throws(StoreError) in
                    do throws(FileError) {
                        return try body(self)
                    } catch {
                        refusal = error
                        throw StoreError(.unavailable, error.message, underlying: error)
                    }
                })
        } catch {
            return .failure(refusal ?? .unavailable(error))
        }
    }

    /// Translates a failure of the file into the catalog's error.
    private func rows<Value>(_ body: () throws(StoreError) -> Value) throws(FileError) -> Value {
        do throws(StoreError) {
            return try body()
        } catch {
            throw .unavailable(error)
        }
    }

    private func run(
        _ statement: SQLiteStatement, _ values: [(any SQLiteValue)?]
    ) throws(FileError) {
        try rows { () throws(StoreError) in
            try statement.bind(all: values)
            try statement.run()
        }
    }

    private func all<Row>(
        _ statement: SQLiteStatement, _ values: [(any SQLiteValue)?],
        _ read: (SQLiteStatement) throws(StoreError) -> Row
    ) throws(FileError) -> [Row] {
        try rows { () throws(StoreError) in
            try statement.bind(all: values)
            defer { statement.reset() }
            var rows: [Row] = []
            while try statement.step() { rows.append(try read(statement)) }
            return rows
        }
    }

    private static func values(_ key: UploadKey) -> [(any SQLiteValue)?] {
        [key.room.tenant.value, key.room.name.value, key.owner.value, key.command.value]
    }

    // MARK: Uploads

    func upload(_ id: FileID) throws(FileError) -> UploadRecord? {
        try all(findUpload, [id.value], upload).first
    }

    func upload(_ key: UploadKey) throws(FileError) -> UploadRecord? {
        try all(findUploadByKey, Self.values(key), upload).first
    }

    func add(_ upload: UploadRecord) throws(FileError) {
        let request = upload.request
        try run(
            addUpload,
            [upload.id.value] + Self.values(request.key) + [
                request.name.value, request.declaredType, Int64(clamping: request.size), request.hash?.hex,
                upload.touchedAt.milliseconds, upload.claim?.description,
            ])
    }

    func update(_ upload: UploadRecord) throws(FileError) {
        try run(updateUpload, [upload.id.value, upload.touchedAt.milliseconds, upload.claim?.description])
    }

    func removeUpload(_ id: FileID) throws(FileError) { try run(removeUpload, [id.value]) }

    func uploads(untouchedSince time: WallTime, max: Int) throws(FileError) -> [UploadRecord] {
        try all(oldUploads, [time.milliseconds, Int64(max)], upload)
    }

    private func upload(_ row: SQLiteStatement) throws(StoreError) -> UploadRecord {
        try FileColumns(connection.path).upload(row)
    }

    // MARK: Files

    func file(_ id: FileID) throws(FileError) -> FileRecord? {
        try all(findFile, [id.value], file).first
    }

    func file(_ key: UploadKey) throws(FileError) -> FileRecord? {
        try all(findFileByKey, Self.values(key), file).first
    }

    func add(_ record: FileRecord) throws(FileError) {
        let file = record.file
        try run(
            addFile,
            [file.id.value] + Self.values(record.key) + [
                file.name.value, file.type.rawValue, Int64(clamping: file.size), record.blob.description,
                file.createdAt.milliseconds,
            ] + Self.values(file.image) + [Int64(record.uses), record.unusedSince.milliseconds])
    }

    func removeFile(_ id: FileID) throws(FileError) { try run(removeFile, [id.value]) }

    func files(unusedSince time: WallTime, max: Int) throws(FileError) -> [FileRecord] {
        try all(unusedFiles, [time.milliseconds, Int64(max)], file)
    }

    private static func values(_ image: ImageProperties?) -> [(any SQLiteValue)?] {
        guard let image else { return [nil, nil, nil, nil] }
        return [Int64(image.width), Int64(image.height), image.placeholder, Int64(image.hasPreview ? 1 : 0)]
    }

    private func file(_ row: SQLiteStatement) throws(StoreError) -> FileRecord {
        try FileColumns(connection.path).file(row)
    }

    // MARK: Usage

    func usage(of owner: UserID?, in tenant: TenantID) throws(FileError) -> FileUsage {
        // No user's id is empty.
        try all(findUsage, [tenant.value, owner?.value ?? ""]) { row throws(StoreError) in
            FileUsage(bytes: UInt64(clamping: row.integer(0)), uploads: Int(clamping: row.integer(1)))
        }.first ?? FileUsage()
    }

    func addUsage(bytes: Int64, uploads: Int, of owner: UserKey) throws(FileError) {
        for name in [owner.user.value, ""] {
            try run(changeUsage, [owner.tenant.value, name, bytes, Int64(uploads)])
        }
    }

    // MARK: Blobs

    func blob(_ hash: ContentHash) throws(FileError) -> BlobID? {
        try all(findBlob, [hash.hex]) { row throws(StoreError) in
            BlobID(hash: hash, origin: try FileColumns(connection.path).id(row.text(0)))
        }.first
    }

    func add(_ blob: BlobID) throws(FileError) { try run(addBlob, [blob.hash.hex, blob.origin.value]) }

    func addUses(_ difference: Int, of blob: BlobID) throws(FileError) {
        try run(changeUses, [blob.hash.hex, Int64(difference)])
    }

    func isKnown(_ blob: BlobID) throws(FileError) -> Bool { try self.blob(blob.hash) == blob }

    func removeUnusedBlobs(max: Int) throws(FileError) -> [BlobID] {
        let columns = FileColumns(connection.path)
        let blobs = try all(unusedBlobs, [Int64(max)]) { row throws(StoreError) in
            BlobID(hash: try columns.hash(row.text(0)), origin: try columns.id(row.text(1)))
        }
        for blob in blobs { try run(removeBlob, [blob.hash.hex]) }
        return blobs
    }
}

extension SQLiteStatement: FileRow {}
