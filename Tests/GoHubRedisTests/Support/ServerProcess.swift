import CGoHubLinux
import Glibc
import GoHubTestSupport

/// A server in a temporary directory, which ends with the object, and with the tests' process, however that ends: a
/// shell waits for the end of a pipe that only this process holds, then kills the server and removes the directory.
final class ServerProcess: @unchecked Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let port: UInt16
    private let keeper: pid_t
    private let lifeline: Int32
    private let directory: String

    /// Starts a server. It may not listen yet.
    ///
    /// - Parameters:
    ///   - binary: `redis-server` or `redis-sentinel`.
    ///   - configuration: the lines of its file, besides those that every test needs.
    init(_ binary: String, port: UInt16, configuration: [String]) throws {
        self.port = port
        var template = Array("/tmp/gohub-redis-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp: error \(errno)") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let lines = ["bind 127.0.0.1", "port \(port)", "dir \(directory)", "logfile \(directory)/log"] + configuration
        let path = "\(directory)/server.conf"
        guard let file = fopen(path, "w") else { throw Failure(description: "\(path): error \(errno)") }
        fputs(lines.joined(separator: "\n") + "\n", file)
        fclose(file)
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Failure(description: "pipe: error \(errno)") }
        keeper = try Self.spawn(
            """
            exec 2>/dev/null
            cd '\(directory)'
            \(binary) '\(path)' >/dev/null </dev/null &
            server=$!
            echo $server >pid.new && mv pid.new pid
            read -r _
            kill -KILL $server
            wait $server
            rm -rf '\(directory)'
            """, input: ends[0])
        close(ends[0])
        lifeline = ends[1]
    }

    deinit {
        end()
    }

    private var isOver = false

    /// Kills the server at once, without a word to its clients.
    func end() {
        guard !isOver else { return }
        isOver = true
        close(lifeline)
        var status: Int32 = 0
        waitpid(keeper, &status, 0)
    }

    /// The end of the server's log, for a failure.
    var log: String {
        guard let file = fopen("\(directory)/log", "r") else { return "no log" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count].suffix(1_000), as: UTF8.self)
    }

    /// A port that was free a moment ago, below the ephemeral range (`ip_local_port_range`).
    static func freePort() throws -> UInt16 {
        for _ in 0..<100 {
            let listener = Loopback.socket()
            defer { close(listener) }
            let port = UInt16.random(in: 20_000..<32_000)
            if Loopback.bind(listener, port: port) { return port }
        }
        throw Failure(description: "no port is free (error \(errno))")
    }

    private static func spawn(_ script: String, input: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        // It would keep every inherited connection open.
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A separate process group: a signal that ends the tests at a terminal doesn't reach the shell, which still has
        // to clean up. No signal may be blocked, as they may be in this thread: a shell waits for its children's ones.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        let words: [String] = ["/bin/sh", "-c", script]
        let texts = words.map { strdup($0) } + [nil]
        let variables = [strdup("PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), strdup("LC_ALL=C"), nil]
        defer { for text in texts + variables { free(text) } }
        var child = pid_t()
        let result = posix_spawn(&child, "/bin/sh", &actions, &attributes, texts, variables)
        guard result == 0 else { throw Failure(description: "sh: error \(result)") }
        return child
    }
}
