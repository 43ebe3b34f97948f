internal import GoHubCore

/// The part of a finish that the disk performs.
extension FileUploads {
    /// - Returns: the answer; `nil` after the end of the finish, and for actions of the catalog and of the previews.
    func perform(_ action: FinishState.Action, for entry: Entry) -> FinishState.Answer? {
        let id = entry.record.id
        do throws(FileError) {
            switch action {
            case .examine: return try examine(entry)
            case .sync:
                guard let file = entry.file else { throw .superseded }
                try file.sync()
                return .synced
            case .move(let blob):
                try folder.move(id, to: blob, size: entry.offset)
                return .moved
            case .syncDirectories(let blob):
                try folder.syncDirectories(blob)
                entry.record.claim = blob
                entry.isMoved = true
                return .directoriesSynced
            case .storePreview(let preview, let blob):
                try folder.keepPreview(preview.webp, of: blob, for: id)
                return .previewStored
            case .succeed(let file): finish(entry, as: file)
            case .fail(let error): fail(entry, error)
            case .discard(let error): discardCorrupt(entry, error)
            case .remove(let error): remove(id, error)
            case .makePreview, .claim, .record, .cancel: break
            }
            return nil
        } catch {
            return .failed(error)
        }
    }

    /// Whether bytes that an earlier run of the hub stored must be read again for the hash.
    func needsHashing(_ entry: Entry) -> Bool {
        entry.file != nil && !entry.isMoved && entry.hashed < entry.offset
    }

    /// All bytes are hashed.
    private func examine(_ entry: Entry) throws(FileError) -> FinishState.Answer {
        guard let file = entry.file else { throw .superseded }
        let type = FileType(
            ofBeginning: try file.read(at: 0, bytesMax: FileType.beginningBytes),
            isWhole: entry.record.request.size <= UInt64(FileType.beginningBytes))
        return .examined(try entry.wholeHash(), type)
    }
}
