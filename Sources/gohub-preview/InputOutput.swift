internal import Glibc
internal import GoHubPreviewExchange

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
            while filled < buffer.count {
                // The rest of the buffer begins inside of it, as `filled` is less than its size.
                let count = pread(
                    STDIN_FILENO, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, off_t(filled))
                guard count > 0 else { return }
                filled += count
            }
        }
    }
}

enum Output {
    /// Writes everything; a reader who has gone ends the process by SIGPIPE.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // The system reads these bytes and no others, and keeps nothing of them after the call.
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
