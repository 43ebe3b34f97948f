internal import Glibc
internal import GoHubPreviewExchange
internal import GoHubSystem

/// The image: the process's standard input.
struct Input {
    private let bytesCount: Int

    /// Reads only the size.
    init() {
        var status = stat()
        let isFile = fstat(STDIN_FILENO, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        bytesCount = isFile ? Int(status.st_size) : 0
    }

    /// Reads the file from its beginning, regardless of the descriptor's offset, which the hub shares.
    ///
    /// - Returns: empty for a file that can't be read, is not regular, or is larger than `PreviewBounds.fileBytesMax`.
    func read() -> [UInt8] {
        guard (1...PreviewBounds.fileBytesMax).contains(bytesCount) else { return [] }
        return [UInt8](unsafeUninitializedCapacity: bytesCount) { buffer, filled in
            filled = readEverything(UnsafeMutableRawBufferPointer(buffer), from: STDIN_FILENO).count
        }
    }
}
