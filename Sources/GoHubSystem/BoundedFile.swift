internal import Glibc

/// A regular file, open for reading, of at most the size that the reader allows.
package struct BoundedFile: ~Copyable {
    package struct Failure: Error, Hashable, CustomStringConvertible {
        package enum Reason: Hashable, Sendable {
            /// The file can't be opened or read (`errno`).
            case system(Int32)
            /// A directory, a device, a pipe or a socket.
            case notRegular
            case tooLarge
            /// The file has become shorter since it was opened.
            case cut
            /// The file's content isn't what its reader needs.
            case content
        }

        package let reason: Reason
        /// A phrase that names the file, without a capital or a full stop.
        package let description: String

        package init(_ reason: Reason, _ description: String) {
            self.reason = reason
            self.description = description
        }
    }

    private let descriptor: OwnedDescriptor
    private let path: String
    private let bytesMax: Int
    /// The file's size when it was opened.
    package let size: Int

    package init(_ path: String, bytesMax: Int) throws(Failure) {
        // O_NONBLOCK: opening a FIFO in place of the file must not hang the process.
        let file = try OwnedDescriptor(orThrow: { Failure.system(path, $0) }) {
            open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        }
        var status = stat()
        guard fstat(file.rawValue, &status) == 0 else { throw .system(path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(.notRegular, "\(path) is not a regular file") }
        guard status.st_size <= bytesMax else { throw .tooLarge(path, bytesMax) }
        descriptor = file
        size = Int(status.st_size)
        self.path = path
        self.bytesMax = bytesMax
    }

    /// Fills a buffer with the file's beginning.
    package borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
        let (count, code) = readEverything(buffer, from: descriptor.rawValue)
        guard count < buffer.count else { return }
        throw code == 0 ? Failure(.cut, "\(path) is shorter than it was") : .system(path, code)
    }

    /// Reads the file to its current end, because the kernel's own files report a size of 0 bytes.
    package borrowing func read() throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let known = bytes.count
            let wanted = min(max(size - known, 16 * 1024), bytesMax - known + 1)
            var code: Int32 = 0
            bytes += [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                (count, code) = readEverything(
                    UnsafeMutableRawBufferPointer(buffer), from: descriptor.rawValue, at: UInt64(known))
            }
            guard code == 0 else { throw .system(path, code) }
            guard bytes.count <= bytesMax else { throw .tooLarge(path, bytesMax) }
            if bytes.count - known < wanted { return bytes }
        }
    }

    package static func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
        try BoundedFile(path, bytesMax: bytesMax).read()
    }
}

extension BoundedFile.Failure {
    fileprivate static func tooLarge(_ path: String, _ bytesMax: Int) -> Self {
        Self(.tooLarge, "\(path) is larger than the limit of \(bytesMax) bytes")
    }

    fileprivate static func system(_ path: String, _ code: Int32) -> Self {
        let text =
            switch code {
            case ENOENT: "the file does not exist"
            case EACCES, EPERM: "this user has no permission to read it"
            case ENOTDIR: "part of the path is not a directory"
            default: systemErrorText(code)
            }
        return Self(.system(code), "\(path) cannot be read: \(text)")
    }
}
