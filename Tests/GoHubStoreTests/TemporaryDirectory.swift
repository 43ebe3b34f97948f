import Glibc

/// A directory for one test, removed after it.
final class TemporaryDirectory: Sendable {
    let path: String

    struct Failure: Error {
        let what: String
    }

    init() throws {
        var template = Array("/tmp/gohub-store-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(what: "mkdtemp: error \(errno)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// A directory made by other code, removed all the same.
    init(at path: String) throws {
        guard mkdir(path, 0o700) == 0 else { throw Failure(what: "mkdir \(path): error \(errno)") }
        self.path = path
    }

    deinit {
        Self.remove(path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        guard let file = fopen(file(name), "w") else { throw Failure(what: "open \(name): error \(errno)") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw Failure(what: "write \(name)") }
    }

    static func contents(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw Failure(what: "open \(path): error \(errno)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }

    private static func remove(_ path: String) {
        if let stream = opendir(path) {
            while let entry = readdir(stream) {
                // The template is null-terminated within its array.
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name != ".", name != ".." else { continue }
                if entry.pointee.d_type == UInt8(DT_DIR) { remove("\(path)/\(name)") }
                unlink("\(path)/\(name)")
            }
            closedir(stream)
        }
        rmdir(path)
    }
}
