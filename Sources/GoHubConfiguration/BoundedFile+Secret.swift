package import GoHubSystem

extension BoundedFile {
    /// Reads a secret's file: its text without trailing newlines, which editors and `openssl rand` add.
    package static func readSecret(_ path: String, bytesMin: Int) throws(Failure) -> [UInt8] {
        var bytes = try read(path, bytesMax: 64 * 1024)
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count >= bytesMin else {
            throw Failure(
                .content,
                "\(path) has \(bytes.count) bytes, but a secret needs at least \(bytesMin). "
                    + "Make one with `openssl rand -base64 \(bytesMin)`")
        }
        return bytes
    }
}
