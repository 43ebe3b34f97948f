internal import GoHubCore

/// A row returned by a database, with columns counted from 0.
protocol FileRow {
    func text(_ column: Int32) -> String
    func integer(_ column: Int32) -> Int64
    func isNull(_ column: Int32) -> Bool
}

/// Reads the columns of the file tables. A malformed value was not written by GoHub.
struct FileColumns {
    private let place: String

    /// - Parameter place: the database's name in errors.
    init(_ place: String) {
        self.place = place
    }

    // MARK: Rows

    static let ofUpload = "id, tenant, room, owner, command, name, declared_type, size, hash, touched_at, claim"
    static let ofFile = """
        id, tenant, room, owner, command, name, type, size, blob, created_at, width, height, placeholder, has_preview,
        uses, unused_since
        """

    /// - Parameter row: with the columns `ofUpload`.
    func upload(_ row: some FileRow) throws(StoreError) -> UploadRecord {
        UploadRecord(
            id: try id(row.text(0)),
            request: Upload.Request(
                room: try room(row.text(1), row.text(2)), owner: try user(row.text(3)), id: try command(row.text(4)),
                name: FileName(cleaning: row.text(5)), declaredType: row.text(6),
                size: UInt64(clamping: row.integer(7)), hash: row.isNull(8) ? nil : try hash(row.text(8))),
            touchedAt: WallTime(milliseconds: row.integer(9)),
            claim: row.isNull(10) ? nil : try blob(row.text(10)))
    }

    /// - Parameter row: with the columns `ofFile`.
    func file(_ row: some FileRow) throws(StoreError) -> FileRecord {
        let blob = try blob(row.text(8))
        let image =
            row.isNull(10)
            ? nil
            : ImageProperties(
                width: Int(clamping: row.integer(10)), height: Int(clamping: row.integer(11)),
                placeholder: row.text(12), hasPreview: row.integer(13) != 0)
        return FileRecord(
            file: StoredFile(
                id: try id(row.text(0)), room: try room(row.text(1), row.text(2)), owner: try user(row.text(3)),
                name: FileName(cleaning: row.text(5)), type: FileType(rawValue: row.text(6)),
                size: UInt64(clamping: row.integer(7)), hash: blob.hash,
                createdAt: WallTime(milliseconds: row.integer(9)), image: image),
            command: try command(row.text(4)), blob: blob, uses: Int(clamping: row.integer(14)),
            unusedSince: WallTime(milliseconds: row.integer(15)))
    }

    // MARK: Columns

    func id(_ text: String) throws(StoreError) -> FileID { try found(FileID(text)) }

    func user(_ text: String) throws(StoreError) -> UserID { try found(UserID(text)) }

    func command(_ text: String) throws(StoreError) -> CommandID { try found(CommandID(text)) }

    func hash(_ text: String) throws(StoreError) -> ContentHash { try found(ContentHash(hex: text)) }

    func blob(_ text: String) throws(StoreError) -> BlobID { try found(BlobID(text)) }

    func room(_ tenant: String, _ name: String) throws(StoreError) -> RoomID {
        RoomID(tenant: try found(TenantID(tenant)), name: try found(RoomName(name)))
    }

    private func found<Value>(_ value: Value?) throws(StoreError) -> Value {
        guard let value else { throw .corruptRow("file", in: place) }
        return value
    }
}
