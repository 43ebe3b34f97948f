internal import GoHubCore

/// The store's answers as async functions.
extension FileStore {
    func begin(_ request: Upload.Request) async throws(FileError) -> Upload.State {
        try await answer { begin(request, completion: $0) }
    }

    func resume(_ id: FileID, by owner: UserKey) async throws(FileError) -> Upload.State {
        try await answer { resume(id, by: owner, completion: $0) }
    }

    func write(_ bytes: [UInt8], at offset: UInt64, with lease: Upload.Lease) async throws(FileError) -> UInt64 {
        try await answer { write(bytes, at: offset, with: lease, completion: $0) }
    }

    func finish(_ lease: Upload.Lease) async throws(FileError) -> StoredFile {
        try await answer { finish(lease, completion: $0) }
    }

    func cancel(_ id: FileID, by owner: UserKey) async throws(FileError) {
        try await answer { cancel(id, by: owner, completion: $0) }
    }

    func file(_ id: FileID, in tenant: TenantID) async throws(FileError) -> StoredFile {
        try await answer { file(id, in: tenant, completion: $0) }
    }

    func open(_ id: FileID, in tenant: TenantID) async throws(FileError) -> any FileReader {
        try await answer { open(id, in: tenant, completion: $0) }
    }

    func preview(_ id: FileID, in tenant: TenantID) async throws(FileError) -> (file: StoredFile, bytes: [UInt8]) {
        try await answer { preview(id, in: tenant, completion: $0) }
    }

    func delete(_ id: FileID, in tenant: TenantID) async throws(FileError) {
        try await answer { delete(id, in: tenant, completion: $0) }
    }
}

extension FileReader {
    func read(at offset: UInt64, bytesMax: Int) async throws(FileError) -> [UInt8] {
        try await answer { read(at: offset, bytesMax: bytesMax, completion: $0) }
    }
}

private func answer<Value: Sendable>(
    _ question: (@escaping FileCompletion<Value>) -> Void
) async throws(FileError) -> Value {
    let result = await withCheckedContinuation { continuation in
        question { continuation.resume(returning: $0) }
    }
    return try result.get()
}
