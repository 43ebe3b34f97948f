import Glibc

/// A directory with one or more files for one test, removed after it.
final class ImageFiles: Sendable {
    let directory: String

    struct Failure: Error {
        let what: String
    }

    /// `F_SETLEASE`, which Swift does not import.
    private static let setLease: Int32 = 1024

    init() throws {
        var template = Array("/tmp/gohub-preview-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(what: "mkdtemp") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        guard let stream = opendir(directory) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { unlink("\(directory)/\(name)") }
        }
        closedir(stream)
        rmdir(directory)
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws {
        let descriptor = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw Failure(what: "open \(name)") }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Failure(what: "write \(name)") }
    }

    /// A shell script in place of the helper.
    ///
    /// - Returns: its path.
    func script(_ lines: String) throws -> String {
        try write("script", Array("#!/bin/sh\n\(lines)\n".utf8), mode: 0o700)
        // A child process that another test was just starting may have inherited the file open for writing, and closes
        // it a little later. Until then the file can't be run (ETXTBSY). A read lease isn't granted before that.
        let descriptor = open(path("script"), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(what: "open script") }
        defer { close(descriptor) }
        while fcntl(descriptor, Self.setLease, F_RDLCK) == -1, errno == EAGAIN { sched_yield() }
        return path("script")
    }

    func text(of name: String) -> String? {
        let descriptor = open(path(name), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(descriptor, &bytes, bytes.count)
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Opens a file that holds bytes, for reading, and hands it to a function.
    func withFile<Answer>(_ bytes: [UInt8], _ body: (Int32) async throws -> Answer) async throws -> Answer {
        try write("image", bytes)
        let descriptor = open(path("image"), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(what: "open") }
        defer { close(descriptor) }
        return try await body(descriptor)
    }
}

/// The helper's program, built beside the tests.
func helperPath() throws -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { throw ImageFiles.Failure(what: "readlink") }
    let tests = String(decoding: buffer[..<count], as: UTF8.self)
    // The test runner's own path may differ: then an argument is the test bundle.
    for candidate in [tests] + CommandLine.arguments {
        guard let slash = candidate.lastIndex(of: "/") else { continue }
        let path = candidate[...slash] + "gohub-preview"
        if access(String(path), X_OK) == 0 { return String(path) }
    }
    throw ImageFiles.Failure(what: "gohub-preview isn't beside \(tests)")
}
