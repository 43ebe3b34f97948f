public import GoHubCore

/// Drives a `FinishState`: performs its actions on the disk, in the catalog and with the previews, on the upload's
/// worker.
extension DiskFileStore {
    public func finish(_ lease: Upload.Lease, completion: @escaping FileCompletion<StoredFile>) {
        let completion = reporting(completion)
        let job = FileWorker.Job(
            run: { [self] uploads in
                do throws(FileError) {
                    let entry = try uploads.leased(lease)
                    let request = entry.record.request
                    guard entry.offset == request.size else {
                        throw FileError(
                            .sizeMismatch,
                            "The upload has \(entry.offset) of its \(request.size) bytes. Send the rest.")
                    }
                    let state = FinishState(
                        announcedHash: request.hash, isMoved: entry.isMoved, makesPreviews: options.previews != nil)
                    entry.finishing = FileUploads.Finishing(state: state, completion: completion)
                    perform(FinishState.first, for: entry, uploads)
                } catch {
                    completion(.failure(error))
                }
            }, refuse: { completion(.failure($0)) })
        worker(of: lease.id).add(job)
    }

    /// Hashes the bytes stored by an earlier run of the hub, part by part. Then a finish that waits for it continues.
    func hash(_ id: FileID, _ uploads: FileUploads) {
        guard let entry = uploads[id], !entry.isHashing else { return }
        guard uploads.needsHashing(entry) else {
            guard entry.finishing?.state.isExamining == true else { return }
            return receive(uploads.perform(.examine, for: entry), for: entry, uploads)
        }
        entry.isHashing = true
        let job = FileWorker.Job(
            run: { [self] uploads in
                // It must be the same entry: the upload may have ended and restarted since.
                guard let entry = uploads[id], entry.isHashing else { return }
                entry.isHashing = false
                do throws(FileError) {
                    try uploads.hashStored(entry)
                    hash(id, uploads)
                } catch {
                    receive(.failed(error), for: entry, uploads)
                }
            },
            // The end of the worker answers the waiting request.
            refuse: { _ in })
        worker(of: id).resume(job)
    }

    /// - Parameter answer: `nil` if it comes later, or never because the finish has ended.
    private func receive(_ answer: FinishState.Answer?, for entry: FileUploads.Entry, _ uploads: FileUploads) {
        guard let answer, let action = entry.finishing?.state.receive(answer) else { return }
        perform(action, for: entry, uploads)
    }

    private func perform(_ action: FinishState.Action, for entry: FileUploads.Entry, _ uploads: FileUploads) {
        let id = entry.record.id
        switch action {
        // Hashing in progress continues by itself.
        case .examine: hash(id, uploads)
        case .makePreview(let format): makePreview(format, for: entry, uploads)
        case .claim(let hash):
            catalog.claim(hash, for: id) { [self] in answer(id, $0) { .claimed($0) } }
        case .record(let type, let image):
            catalog.finish(id, as: type, image: image, now: options.clock()) { [self] in
                answer(id, $0) { .recorded($0.file) }
            }
        case .cancel:
            catalog.cancel(id) { [self] in answer(id, $0) { _ in .cancelled } }
        case .remove:
            _ = uploads.perform(action, for: entry)
            collectBlobs()
        case .storePreview:
            let answer = uploads.perform(action, for: entry)
            // A file is complete without a preview, so the client isn't told.
            if case .failed(let error) = answer {
                options.report("storing a preview failed \(error.logText)")
            }
            receive(answer, for: entry, uploads)
        case .sync, .move, .syncDirectories, .succeed, .fail, .discard:
            receive(uploads.perform(action, for: entry), for: entry, uploads)
        }
    }

    private func makePreview(_ format: ImageFormat, for entry: FileUploads.Entry, _ uploads: FileUploads) {
        let (id, blob) = (entry.record.id, entry.isMoved ? entry.record.claim : nil)
        let user = entry.record.request.ownerKey
        guard let previews = options.previews,
            let file = try? blob.map({ blob throws(FileError) in try folder.open(blob) }) ?? folder.openToRead(id)
        else { return receive(.previewed(nil), for: entry, uploads) }
        Task {
            let preview = try? await previews.preview(of: file.descriptor, format: format, for: user).get()
            // The file stays open until here.
            withExtendedLifetime(file) {}
            answer(id, .success(preview)) { .previewed($0) }
        }
    }

    /// Continues a finish on its worker with an answer from elsewhere.
    private func answer<Value: Sendable>(
        _ id: FileID, _ result: Result<Value, FileError>,
        _ answer: @escaping @Sendable (Value) -> FinishState.Answer
    ) {
        let job = FileWorker.Job(
            run: { [self] uploads in
                // `nil` if it was cancelled since; the cancelling request has removed it.
                guard let entry = uploads[id] else { return }
                switch result {
                case .success(let value): receive(answer(value), for: entry, uploads)
                case .failure(let error): receive(.failed(error), for: entry, uploads)
                }
            },
            // The end of the worker answers the waiting request.
            refuse: { _ in })
        worker(of: id).resume(job)
    }
}
