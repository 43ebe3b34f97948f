public import GoHubCore
internal import Synchronization

/// The files that a store's messages may hold, for tests to add and inspect.
public protocol TestFiles: Sendable {
    /// Adds a complete file that no message holds, unused since the beginning of time.
    func add(_ file: StoredFile) async
    func remove(_ id: FileID) async
    /// - Returns: `nil` for a file that doesn't exist.
    func use(of id: FileID) async -> FileUse?
}

/// A file's use by messages: their number, and the time since which it is unused.
public struct FileUse: Hashable, Sendable {
    public var count: Int
    public var unusedSince: WallTime

    public init(count: Int, unusedSince: WallTime) {
        self.count = count
        self.unusedSince = unusedSince
    }
}

/// No files, and none can be added.
struct NoFiles: TestFiles {
    func add(_ file: StoredFile) {}
    func remove(_ id: FileID) {}
    func use(of id: FileID) -> FileUse? { nil }
}

/// The files of rooms in memory, for a message store in memory.
public final class TestRoomFiles: RoomFiles, TestFiles {
    private let files = Mutex<[FileID: (file: StoredFile, use: FileUse)]>([:])

    public init() {}

    public func use(_ ids: [FileID], in room: RoomID) -> [StoredFile]? {
        files.withLock { files in
            let found = ids.compactMap { files[$0]?.file }.filter { $0.room == room }
            guard found.count == ids.count else { return nil }
            for id in ids { files[id]?.use.count += 1 }
            return found
        }
    }

    public func release(_ ids: [FileID], at time: WallTime) {
        files.withLock { files in
            for id in ids {
                guard let count = files[id]?.use.count, count > 0 else { continue }
                files[id]?.use.count = count - 1
                if count == 1 { files[id]?.use.unusedSince = time }
            }
        }
    }

    public func add(_ file: StoredFile) {
        files.withLock { $0[file.id] = (file, FileUse(count: 0, unusedSince: .ms(0))) }
    }

    public func remove(_ id: FileID) {
        files.withLock { $0[id] = nil }
    }

    public func use(of id: FileID) -> FileUse? {
        files.withLock { $0[id]?.use }
    }
}

extension StoredFile {
    /// A file of the user Alice.
    public static func test(
        _ name: String = "a.png", in room: RoomID, type: FileType = .png, size: UInt64 = 7,
        image: ImageProperties? = nil
    ) -> StoredFile {
        // Any 32 bytes are the hash of some file.
        let hash = ContentHash(bytes: (0..<32).map { _ in UInt8.random(in: .min ... .max) })
        guard let hash else { preconditionFailure("a hash has 32 bytes") }
        return StoredFile(
            id: .random(), room: room, owner: .alice, name: FileName(cleaning: name), type: type, size: size,
            hash: hash, createdAt: .ms(0), image: image)
    }
}
