internal import Glibc
internal import GoHubPreviewExchange
internal import GoHubSystem

/// The image: the process' standard input.
struct Input {
    private let bytesCount: Int

    /// Asks for the size alone.
    init() {
        var status = stat()
        let isFile = fstat(STDIN_FILENO, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        bytesCount = isFile ? Int(status.st_size) : 0
    }

    /// Reads the file from its beginning, wherever the descriptor's offset, which the hub shares, stands.
    ///
    /// - Returns: empty for what can't be read, is no regular file, or is larger than `PreviewBounds.fileBytesMax`.
    func read() -> [UInt8] {
        guard (1...PreviewBounds.fileBytesMax).contains(bytesCount) else { return [] }
        return [UInt8](unsafeUninitializedCapacity: bytesCount) { buffer, filled in
            filled = readEverything(UnsafeMutableRawBufferPointer(buffer), from: STDIN_FILENO).count
        }
    }
}
