package import GoHubSystem

extension BoundedFile {
    /// A secret's file: its text without the line ends after it, which editors and `openssl rand` leave.
    package static func readSecret(_ path: String, bytesMin: Int) throws(Failure) -> [UInt8] {
        var bytes = try read(path, bytesMax: 64 * 1024)
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count >= bytesMin else {
            throw Failure(
                .content,
                "\(path) holds \(bytes.count) bytes, and a secret needs at least \(bytesMin): "
                    + "make one with `openssl rand -base64 \(bytesMin)`")
        }
        return bytes
    }
}
