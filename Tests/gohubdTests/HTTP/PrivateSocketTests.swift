import Glibc
import Testing

@testable import gohubd

/// A hub's private directory: it exists as long as its hub, and at the latest until the next hub starts.
struct PrivateSocketTests {
    private let files: TemporaryFiles

    init() throws {
        files = try TemporaryFiles()
    }

    private func isThere(_ path: String) -> Bool {
        // Includes a dangling link.
        faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    private func directory(of socket: PrivateSocket) -> String { String(socket.path.dropLast("/http".count)) }

    /// A directory as after a kill: the system has released the lock, and removed nothing.
    private func leaveOne() throws -> String {
        let socket = try PrivateSocket(in: files.directory)
        let file = open(socket.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        close(file)
        return directory(of: socket)
    }

    @Test func removeDeletesSocket() throws {
        let socket = try PrivateSocket(in: files.directory)
        #expect(isThere(directory(of: socket)))
        socket.remove()
        #expect(!isThere(directory(of: socket)))
    }

    @Test func deadHubsSocketIsRemovedAtStart() throws {
        let dead = try leaveOne()
        #expect(isThere("\(dead)/http"))
        let socket = try PrivateSocket(in: files.directory)
        #expect(!isThere(dead))
        #expect(isThere(directory(of: socket)))
        socket.remove()
    }

    @Test func liveHubsSocketIsKept() throws {
        let living = try PrivateSocket(in: files.directory)
        let file = open(living.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        close(file)
        for _ in 0..<3 { try PrivateSocket(in: files.directory).remove() }
        #expect(isThere(living.path))
        living.remove()
    }

    @Test func foreignDirectoriesAreKept() throws {
        let other = try TemporaryFiles()
        let kept = try other.write("http", "of somebody else")
        // A link and a file of the right name, a directory that holds more, and another user's.
        try #require(symlink(other.directory, "\(files.directory)/gohubd-\(geteuid())-linked") == 0)
        let file = try files.write("gohubd-\(geteuid())-file00", "no directory")
        let full = try leaveOne()
        let inside = open("\(full)/more", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(inside >= 0)
        close(inside)
        let strange = "\(files.directory)/gohubd-\(geteuid() + 1)-000000"
        try #require(mkdir(strange, 0o700) == 0)
        try PrivateSocket(in: files.directory).remove()
        #expect(isThere(kept))
        #expect(isThere(file))
        #expect(isThere("\(full)/more"))
        #expect(isThere(strange))
        unlink("\(full)/more")
        for left in [full, strange] { rmdir(left) }
    }

    /// Each start removes directories that others have just made and not locked yet, unless those notice and make
    /// another.
    @Test func concurrentStartsDoNotInterfere() async throws {
        let parent = files.directory
        try await withThrowingTaskGroup(of: PrivateSocket.self) { tasks in
            for _ in 0..<40 { tasks.addTask { try PrivateSocket(in: parent) } }
            for try await socket in tasks {
                #expect(isThere(directory(of: socket)))
                socket.remove()
            }
        }
    }

    @Test func missingParentIsAClearError() {
        let error = #expect(throws: StartError.self) { try PrivateSocket(in: "\(files.directory)/nothing") }
        #expect(error.map { "\($0)" }?.contains("Set TMPDIR to a directory") == true)
    }
}
