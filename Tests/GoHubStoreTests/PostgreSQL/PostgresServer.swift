import CGoHubLinux
import CGoHubPQ
import Glibc
import GoHubTestSupport

/// A PostgreSQL server in a temporary directory, on the loopback interface.
///
/// It ends with the object, and with the tests' process, however that ends: a shell waits for the end of a pipe that
/// only this process holds, then stops the server and removes its directory.
final class PostgresServer: @unchecked Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let port: UInt16
    let certificates: TestCertificates
    private let directory: String
    private let binaries: String
    // Only one test at a time starts and stops its own server.
    private var keeper: pid_t = 0
    private var lifeline: Int32 = -1

    /// The server shared by tests that do not disturb it.
    static func shared() async throws -> PostgresServer { try await starting.value }

    private static let starting = Task { try await start() }

    static func start() async throws -> PostgresServer { try await onThread { try PostgresServer(replicaOf: nil) } }

    /// A hot standby that follows a primary.
    static func startReplica(of primary: PostgresServer) async throws -> PostgresServer {
        try await onThread { try PostgresServer(replicaOf: primary) }
    }

    /// Blocks for some seconds.
    private init(replicaOf primary: PostgresServer?) throws {
        binaries = try Self.findBinaries()
        var template = Array("/tmp/gohub-postgres-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp: error \(errno)") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        port = try Self.freePort()
        certificates = try primary?.certificates ?? TestCertificates()
        // PostgreSQL refuses to run as root.
        if getuid() == 0 { chown(directory, Self.nobody, Self.nobody) }
        if let primary {
            // `-R` makes it a replica, with the primary's address in its settings.
            try Self.run(
                """
                \(Self.asNobody) '\(binaries)/pg_basebackup' -d 'postgres://postgres@127.0.0.1:\(primary.port)/' \
                -D '\(directory)/data' -X stream -c fast -R --no-sync >'\(directory)/log' 2>&1 \
                || { cat '\(directory)/log' >&2; exit 1; }
                """)
            try start()
            return
        }
        try Self.run(
            """
            \(Self.asNobody) '\(binaries)/initdb' -D '\(directory)/data' -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
            --no-sync >'\(directory)/log' 2>&1 || { cat '\(directory)/log' >&2; exit 1; }
            cp '\(certificates.server.chainPath)' '\(directory)/data/chain.pem'
            install -m 600 \(Self.owner) '\(certificates.server.keyPath)' '\(directory)/data/key.pem'
            sed -i '1i host all locked 127.0.0.1/32 scram-sha-256' '\(directory)/data/pg_hba.conf'
            """)
        try start()
    }

    deinit {
        stop()
        _ = try? Self.run("rm -rf '\(directory)'")
    }

    func url(schema: String = "public", user: String = "postgres", password: String = "hush", port: UInt16? = nil)
        -> String
    {
        "postgres://\(user):\(password)@127.0.0.1:\(port ?? self.port)/postgres?sslmode=disable"
            + "&options=-csearch_path%3D\(schema)"
    }

    /// Runs SQL, and returns the first value of the last result.
    @discardableResult
    func execute(_ sql: String, schema: String = "public") throws -> String {
        let connection = PQconnectdb(url(schema: schema))
        defer { PQfinish(connection) }
        let result = PQexec(connection, sql)
        defer { PQclear(result) }
        let status = PQresultStatus(result)
        guard status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK else {
            throw Failure(description: "\(sql): \(String(cString: PQerrorMessage(connection)))")
        }
        return PQntuples(result) > 0 ? String(cString: PQgetvalue(result, 0, 0)) : ""
    }

    /// Makes a schema that no other test uses.
    func makeSchema() throws -> String {
        let name = "s\(UInt64.random(in: .min ... .max))"
        try execute("CREATE SCHEMA \(name)")
        return name
    }

    // MARK: Start and stop

    func start() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "pipe: error \(errno)") }
        // Its other children must not inherit it.
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        keeper = try Self.spawn(
            """
            exec 2>/dev/null
            \(Self.asNobody) '\(binaries)/postgres' -D '\(directory)/data' -p \(port) -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories= -c max_connections=400 -c shared_buffers=32MB -c ssl=on -c ssl_cert_file=chain.pem \
            -c ssl_key_file=key.pem >>'\(directory)/log' 2>&1 &
            server=$!
            read -r _
            kill -QUIT $server 2>/dev/null
            wait $server
            [ -e '\(directory)/stay' ] || rm -rf '\(directory)'
            """, input: ends[0])
        close(ends[0])
        lifeline = ends[1]
        // Five minutes at most, on a busy machine. A server that never starts fails the test with its log.
        for _ in 0..<6_000 {
            if PQping(url()) == PQPING_OK { return }
            usleep(50_000)
        }
        let log = (try? TemporaryDirectory.contents("\(directory)/log")) ?? []
        throw Failure(description: "the server doesn't start: \(String(decoding: log.suffix(1_000), as: UTF8.self))")
    }

    func stop() {
        guard lifeline >= 0 else { return }
        close(lifeline)
        lifeline = -1
        var status: Int32 = 0
        waitpid(keeper, &status, 0)
    }

    /// Kills it without a clean shutdown, and starts it again.
    func crash() async throws {
        try await onThread {
            fclose(fopen("\(self.directory)/stay", "w"))
            try self.kill()
            unlink("\(self.directory)/stay")
            try self.start()
        }
    }

    /// Kills it without a clean shutdown, for good.
    func end() async throws {
        try await onThread { try self.kill() }
    }

    private func kill() throws {
        let file = try TemporaryDirectory.contents("\(directory)/data/postmaster.pid")
        guard let process = pid_t(String(decoding: file, as: UTF8.self).prefix { $0.isNumber }) else {
            throw Failure(description: "postmaster.pid tells no process")
        }
        // Its children hold the shared memory, and no other server starts here before that is released.
        let children = try TemporaryDirectory.contents("/proc/\(process)/task/\(process)/children")
            .split(separator: UInt8(ascii: " ")).compactMap { pid_t(String(decoding: $0, as: UTF8.self)) }
        for victim in [process] + children { Glibc.kill(victim, SIGKILL) }
        for child in children {
            // Ten seconds at most in total: an init that reaps nobody keeps their process ids.
            for _ in 0..<(10_000 / max(1, children.count)) where Glibc.kill(child, 0) == 0 { usleep(1_000) }
        }
        stop()
    }

    // MARK: Replicas

    /// The URL of whichever is the primary.
    func url(schema: String, orReplica replica: PostgresServer) -> String {
        url(schema: schema).replacing("127.0.0.1:\(port)", with: "127.0.0.1:\(port),127.0.0.1:\(replica.port)")
            + "&target_session_attrs=read-write"
    }

    /// Leaves a replica behind: it gets nothing more of what its primary commits.
    func stopReceiving() async throws {
        try await onThread {
            try self.execute("ALTER SYSTEM SET primary_conninfo = ''")
            try self.execute("SELECT pg_reload_conf()")
            for _ in 0..<6_000 {
                if try self.execute("SELECT count(*) FROM pg_stat_wal_receiver") == "0" { return }
                usleep(10_000)
            }
            throw Failure(description: "the replica still receives")
        }
    }

    /// Makes a replica the primary, with a timeline of its own.
    func promote() async throws {
        try await onThread {
            guard try self.execute("SELECT pg_promote()") == "t" else { throw Failure(description: "not promoted") }
        }
    }

    // MARK: -

    private static let nobody: uid_t = 65_534

    private static var asNobody: String {
        getuid() == 0 ? "setpriv --reuid=\(nobody) --regid=\(nobody) --clear-groups --" : ""
    }

    private static var owner: String { getuid() == 0 ? "-o \(nobody) -g \(nobody)" : "" }

    private static func findBinaries() throws -> String {
        var candidates: [String] = []
        if let stream = opendir("/usr/lib/postgresql") {
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if let version = Int(name), version >= 14 { candidates.append("/usr/lib/postgresql/\(version)/bin") }
            }
            closedir(stream)
        }
        candidates.sort { $0.count == $1.count ? $0 > $1 : $0.count > $1.count }
        if let path = getenv("PATH") { candidates += String(cString: path).split(separator: ":").map(String.init) }
        for candidate in candidates where access("\(candidate)/initdb", X_OK) == 0 {
            if access("\(candidate)/postgres", X_OK) == 0 { return candidate }
        }
        throw Failure(
            description:
                "there is no PostgreSQL server: `make test` installs one (Debian's package postgresql), or put the "
                + "directory of initdb and postgres into PATH")
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

    private static func run(_ script: String) throws {
        let child = try spawn(script, input: -1)
        var status: Int32 = 0
        waitpid(child, &status, 0)
        guard status == 0 else { throw Failure(description: "failed with status \(status): \(script)") }
    }

    private static func spawn(_ script: String, input: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if input >= 0 {
            posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        }
        // The server outlives most tests, and would keep every inherited connection open.
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A separate process group: a signal that ends the tests at a terminal doesn't reach the shell, which still has
        // to clean up.
        // No signal may be blocked, as they may be in this thread: a shell waits for its children's signals.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        let words: [String] = ["/bin/sh", "-c", script]
        let texts = words.map { strdup($0) } + [nil]
        let variables = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), strdup("LC_ALL=C"), nil]
        defer { for text in texts + variables { free(text) } }
        var child = pid_t()
        let result = posix_spawn(&child, "/bin/sh", &actions, &attributes, texts, variables)
        guard result == 0 else { throw Failure(description: "sh: error \(result)") }
        return child
    }
}
