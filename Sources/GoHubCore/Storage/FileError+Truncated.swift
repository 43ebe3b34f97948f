extension FileError {
    /// A file with fewer bytes than its record.
    package static func truncated(_ id: FileID) -> FileError {
        .unavailable(StoreError(.corrupt, "The file \(id) is truncated on disk. Restore it from a backup."))
    }
}
