internal import Glibc

/// Reads a small file whole, and never more of it than was asked for.
enum BoundedFile {
    struct Failure: Error, CustomStringConvertible {
        /// A sentence without capital and full stop that names the file.
        let description: String
    }

    static func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
        let descriptor = retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
        guard descriptor >= 0 else { throw Failure(description: "\(path) can't be read: \(reason(errno))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(description: "\(path) is not a regular file")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            // `count` bytes are the buffer's own size, and it lives for the call.
            let count = retryingInterrupts { Glibc.read(descriptor, &chunk, chunk.count) }
            guard count >= 0 else { throw Failure(description: "\(path) can't be read: \(reason(errno))") }
            if count == 0 { return bytes }
            guard bytes.count + count <= bytesMax else {
                throw Failure(description: "\(path) is larger than the \(bytesMax) bytes that are read of it")
            }
            bytes += chunk[..<count]
        }
    }

    /// A secret's file: its text without the line ends after it, which editors and `openssl rand` leave.
    static func readSecret(_ path: String, bytesMin: Int) throws(Failure) -> [UInt8] {
        var bytes = try read(path, bytesMax: 64 * 1024)
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count >= bytesMin else {
            throw Failure(
                description: "\(path) holds \(bytes.count) bytes, and a secret needs at least \(bytesMin): "
                    + "make one with `openssl rand -base64 \(bytesMin)`")
        }
        return bytes
    }

    private static func reason(_ code: Int32) -> String {
        switch code {
        case ENOENT: "there is no such file"
        case EACCES, EPERM: "this user may not read it"
        case ENOTDIR: "a part of the path is not a directory"
        default: "error \(code) of the system"
        }
    }

    private static func retryingInterrupts<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result != -1 || errno != EINTR { return result }
        }
    }
}
