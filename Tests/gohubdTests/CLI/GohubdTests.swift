import Glibc
import Testing

@testable import gohubd

/// The program from outside: its output, its exit codes, how it stops.
@Suite(.serialized) struct GohubdTests {
    /// Starts the hub on a free port.
    ///
    /// - Returns: the process, its port, and its output.
    private func serve(
        _ settings: [String] = [], store: String = "memory", environment: [String: String] = [:]
    ) throws -> (
        GohubdProcess, port: UInt16, log: String
    ) {
        let process = try GohubdProcess(
            ["serve", "--listen", "127.0.0.1:0", "--store", store] + settings.flatMap { ["--set", $0] },
            environment: environment)
        let log = try process.waitFor("To leave this mode")
        let listen = try #require(log.firstRange(of: "listen=127.0.0.1:"))
        let port = try #require(UInt16(log[listen.upperBound...].prefix { $0.isNumber }))
        return (process, port, log)
    }

    /// The entries of a directory, except `.` and `..`.
    private func names(in directory: String) throws -> Set<String> {
        let stream = try #require(opendir(directory))
        defer { closedir(stream) }
        var names: Set<String> = []
        while let entry = readdir(stream) {
            names.insert(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names.subtracting([".", ".."])
    }

    // MARK: Results and refusals

    @Test func versionListsLibraries() throws {
        let (code, output, _) = try GohubdProcess(["version"]).finish()
        #expect(code == 0)
        let lines = output.split(separator: "\n")
        #expect(lines.first == "gohubd \(GoHubVersion.current)")
        for (line, name) in zip(
            lines.dropFirst(), ["protocol gohub.v1", "Swift 6.", "OpenSSL 3.", "zlib 1.", "libpq "])
        {
            #expect(line.hasPrefix(name))
        }
        #expect(lines.count == 6)
    }

    @Test func checkConfigPrintsEffectiveValuesWithoutSecrets() throws {
        let process = try GohubdProcess(
            ["check-config", "--set", "loops=3"], environment: ["GOHUB_API_KEY": "hush-0123456789abcdef"])
        let (code, output, errors) = process.finish()
        #expect(code == 0)
        #expect(output.contains("loops = 3    (command line)\n"))
        #expect(output.contains("api.key = <redacted>    (environment)\n"))
        #expect(!(output + errors).contains("hush"))
    }

    @Test func invalidConfigurationIsExitCode2() throws {
        for command in [["check-config"], ["serve"], ["token", "--subject", "a"]] {
            let (code, output, errors) = try GohubdProcess(command + ["--set", "loops=x"]).finish()
            #expect(code == 2)
            #expect(output.isEmpty)
            #expect(errors == "gohubd: Command line: loops must be a whole number from 0 to 256.\n")
        }
    }

    @Test func invalidCommandLineIsExitCode64() throws {
        #expect(try GohubdProcess(["fly"]).finish().code == 64)
        #expect(try GohubdProcess(["token", "--subject", ""], environment: [:]).finish().code == 64)
    }

    @Test func portInUseIsExitCode1() throws {
        let (first, port, _) = try serve()
        let second = try GohubdProcess(["serve", "--listen", "127.0.0.1:\(port)", "--store", "memory"])
        let (code, output, errors) = second.finish()
        #expect(code == 1)
        #expect(output.isEmpty)
        #expect(errors.hasPrefix("gohubd: Cannot listen on 127.0.0.1:\(port): the port is in use"))
        #expect(errors.split(separator: "\n").count == 1)
        first.signal(SIGTERM)
        #expect(first.finish().code == 0)
    }

    // MARK: The store

    @Test func unusableStoreIsExitCode1() throws {
        let store = try GohubdProcess(["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:/nowhere/hub.sqlite"])
        let (code, output, errors) = store.finish()
        #expect(code == 1)
        #expect(output.isEmpty)
        #expect(
            errors
                == "gohubd: Cannot open the store (incompatible): /nowhere/hub.sqlite cannot be opened: its parent "
                + "directory does not exist. Create it first.\n")
    }

    @Test func unusableFileStoreIsExitCode1() throws {
        let files = try TemporaryFiles()
        let process = try GohubdProcess([
            "serve", "--listen", "127.0.0.1:0", "--store", "sqlite:\(files.directory)/hub.sqlite", "--set",
            "files.path=/nowhere/files",
        ])
        let (code, output, errors) = process.finish()
        #expect(code == 1)
        #expect(output.isEmpty)
        let reason =
            "gohubd: Cannot open the file store (incompatible): /nowhere/files cannot be used for files: its parent "
            + "directory does not exist. Create it first. Set files.path to another folder, or files.enabled to false."
        #expect(errors.hasSuffix("\(reason)\n"))
    }

    @Test func unreachableDatabaseIsNotReadyAndHidesPassword() throws {
        let files = try TemporaryFiles()
        // No server listens on port 1.
        let path = try files.write("store", "postgres://hub:hush@127.0.0.1:1/hub")
        let process = try GohubdProcess([
            "serve", "--listen", "127.0.0.1:0", "--set", "storeFile=\(path)", "--set", "drain.closeOverMs=0", "--set",
            "postgres.deadlineMs=100",
        ])
        var log = try process.waitFor("To leave this mode")
        let listen = try #require(log.firstRange(of: "listen=127.0.0.1:"))
        let port = try #require(UInt16(log[listen.upperBound...].prefix { $0.isNumber }))
        #expect(log.contains("store=postgres:<redacted>"))
        if !log.contains("connection failed; retrying") { log += try process.waitFor("connection failed; retrying") }
        let client = try BlockingClient(port: port)
        client.send(Array("GET /readyz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".utf8))
        let answer = String(decoding: client.read(until: []), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("The store is unavailable."))
        process.signal(SIGTERM)
        let (code, _, errors) = process.finish()
        #expect(code == 0)
        #expect(!(log + errors).contains("hush"))
    }

    @Test func acknowledgedMessagesSurviveRestart() throws {
        let files = try TemporaryFiles()
        let store = "sqlite:\(files.directory)/hub.sqlite"
        let (first, port, log) = try serve(["drain.closeOverMs=0"], store: store)
        #expect(log.contains("store=\(store)"))
        let client = try BlockingClient(port: port)
        _ = client.hello(as: "alice")
        client.say(#"{"op":"join","id":"1","room":"lobby"}"#)
        _ = client.read(until: Array(#""op":"joined""#.utf8))
        client.say(#"{"op":"send","id":"m-1","room":"lobby","text":"still here"}"#)
        _ = client.read(until: Array(#""op":"ack""#.utf8))
        // Without a clean shutdown.
        first.signal(SIGKILL)
        #expect(first.finish().code == 128 + SIGKILL)
        let (second, again, _) = try serve(["drain.closeOverMs=0"], store: store)
        let other = try BlockingClient(port: again)
        _ = other.hello(as: "bob")
        other.say(#"{"op":"join","id":"1","room":"lobby","limit":5}"#)
        let joined = other.read(until: Array(#""count":1"#.utf8))
        #expect(joined.contains(Array(#""offset":1,"id":"m-1","from":"alice""#.utf8)))
        #expect(joined.contains(Array(#""text":"still here""#.utf8)))
        second.signal(SIGTERM)
        #expect(second.finish().code == 0)
    }

    @Test func changesSurviveRestart() throws {
        let files = try TemporaryFiles()
        let store = "sqlite:\(files.directory)/hub.sqlite"
        let (first, port, _) = try serve(["drain.closeOverMs=0"], store: store)
        let client = try BlockingClient(port: port)
        _ = client.hello(as: "alice")
        client.say(#"{"op":"join","id":"1","room":"lobby"}"#)
        _ = client.read(until: Array(#""op":"joined""#.utf8))
        for (id, command) in [
            ("a1", #"{"op":"send","id":"a1","room":"lobby","text":"a draft"}"#),
            ("a2", #"{"op":"send","id":"a2","room":"lobby","text":"a secret"}"#),
            ("a3", #"{"op":"edit","id":"a3","room":"lobby","offset":1,"text":"final"}"#),
            ("a4", #"{"op":"react","id":"a4","room":"lobby","offset":1,"reaction":"+1"}"#),
            ("a5", #"{"op":"delete","id":"a5","room":"lobby","offset":2}"#),
        ] {
            client.say(command)
            _ = client.read(until: Array(#""op":"ack","id":"\#(id)""#.utf8))
        }
        first.signal(SIGKILL)
        #expect(first.finish().code == 128 + SIGKILL)
        let (second, again, _) = try serve(["drain.closeOverMs=0"], store: store)
        let other = try BlockingClient(port: again)
        _ = other.hello(as: "bob")
        other.say(#"{"op":"join","id":"1","room":"lobby","limit":9}"#)
        let joined = String(decoding: other.read(until: Array(#""count":1,"receipts""#.utf8)), as: UTF8.self)
        for part in [
            #""offset":5,"recovered""#, #""text":"final","edited":3,"#,
            #""reactions":[{"reaction":"+1","count":1,"by":["alice"]}]"#, #""deleted":5,"#,
            #"{"op":"edited","offset":3,"id":"a3","from":"alice""#, #""of":1,"text":"final"}"#,
            #""of":1,"reaction":"+1","count":1}"#, #"{"op":"deleted","offset":5,"#,
        ] {
            #expect(joined.contains(part), "\(joined)")
        }
        #expect(!joined.contains("secret") && !joined.contains("draft"))
        // A repeat of an earlier command, by the same moderator.
        let same = try BlockingClient(port: again)
        _ = same.hello(as: "alice")
        same.say(#"{"op":"join","id":"1","room":"lobby"}"#)
        _ = same.read(until: Array(#""op":"joined""#.utf8))
        same.say(#"{"op":"delete","id":"a5","room":"lobby","offset":2}"#)
        let ack = String(decoding: same.read(until: Array(#""duplicate":true"#.utf8)), as: UTF8.self)
        #expect(ack.contains(#""offset":5,"#))
        second.signal(SIGTERM)
        #expect(second.finish().code == 0)
    }

    // MARK: Serving and stopping

    @Test func startIsLoggedAndDevelopmentWarned() throws {
        let (process, _, log) = try serve(["node=n9", "loops=1"])
        process.signal(SIGINT)
        #expect(process.finish().code == 0)
        let start = try #require(log.split(separator: "\n").first)
        for part in [
            "version=\(GoHubVersion.current)", "node=n9", "mode=development", "store=memory", "tls=off", "loops=1",
            "listen=127.0.0.1:",
        ] {
            #expect(start.contains(part))
        }
        #expect(log.contains("*** DEVELOPMENT MODE ***"))
    }

    @Test func requestsThatAreNoWebSocketAreAnswered() throws {
        let (process, port, _) = try serve()
        let client = try BlockingClient(port: port)
        client.send(Array("GET /readyz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".utf8))
        let answer = String(decoding: client.read(until: []), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK"))
        #expect(answer.hasSuffix(#"{"status":"ready"}"#))
        process.signal(SIGTERM)
        #expect(process.finish().code == 0)
    }

    @Test func stopNotifiesAndClosesClients() throws {
        let (process, port, _) = try serve(["drain.closeOverMs=100"])
        let client = try BlockingClient(port: port)
        #expect(client.hello(as: "alice").contains("HTTP/1.1 101 "))
        process.signal(SIGTERM)
        // The close frame: FIN and opcode 8, its length, then 1012.
        let end = client.read(until: [0x03, 0xF4] + Array("service restart".utf8))
        #expect(end.contains(Array(#""op":"drain""#.utf8)))
        #expect(end.contains(Array("service restart".utf8)))
        client.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xF4])
        let (code, _, errors) = process.finish()
        #expect(code == 0)
        #expect(errors.contains("drained") && errors.contains("stopped"))
    }

    @Test func deadlineEndsLongDrain() throws {
        let (process, port, _) = try serve(["drain.closeOverMs=0", "drain.deadlineMs=300"])
        let client = try BlockingClient(port: port)
        _ = client.hello(as: "alice")
        // This client never answers the close.
        process.signal(SIGTERM)
        let (code, _, errors) = process.finish()
        #expect(code == 0)
        #expect(errors.contains("the drain deadline has passed"))
    }

    @Test func secondSignalStopsImmediately() throws {
        let (process, port, _) = try serve(["drain.closeOverMs=600000", "drain.deadlineMs=700000"])
        let client = try BlockingClient(port: port)
        let other = try BlockingClient(port: port)
        _ = client.hello(as: "alice")
        _ = other.hello(as: "bob")
        process.signal(SIGTERM)
        _ = try process.waitFor("draining")
        process.signal(SIGTERM)
        let (code, _, errors) = process.finish()
        #expect(code == 1)
        #expect(errors.contains("a second signal"))
    }

    @Test func hangupReloadsKeys() throws {
        let files = try TemporaryFiles()
        let path = try files.write("key", "first-0123456789abcdef")
        let (process, port, _) = try serve(["api.keyFile=\(path)"])
        func status(_ key: String) throws -> String {
            let client = try BlockingClient(port: port)
            client.send(
                Array(
                    "GET /v1/api/rooms HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer \(key)\r\nConnection: close\r\n\r\n"
                        .utf8))
            return String(decoding: client.read(until: []).prefix(12), as: UTF8.self)
        }
        #expect(try status("first-0123456789abcdef") == "HTTP/1.1 200")
        try files.write("key", "second-0123456789abcdef")
        process.signal(SIGHUP)
        _ = try process.waitFor("reloaded: server API key")
        #expect(try status("first-0123456789abcdef") == "HTTP/1.1 401")
        #expect(try status("second-0123456789abcdef") == "HTTP/1.1 200")
        try files.write("key", "short")
        process.signal(SIGHUP)
        let log = try process.waitFor("reload failed: server API key")
        #expect(!log.contains("second-"))
        #expect(try status("second-0123456789abcdef") == "HTTP/1.1 200")
        process.signal(SIGTERM)
        #expect(process.finish().code == 0)
    }

    @Test func nextStartCleansUpAfterKill() throws {
        let files = try TemporaryFiles()
        let environment = ["TMPDIR": files.directory]
        let (first, _, _) = try serve(environment: environment)
        let left = try names(in: files.directory)
        // The socket's, and that of files in memory.
        #expect(left.count == 2)
        first.signal(SIGKILL)
        #expect(first.finish().code == 128 + SIGKILL)
        #expect(try names(in: files.directory) == left)
        let (second, _, _) = try serve(environment: environment)
        let now = try names(in: files.directory)
        #expect(now.count == 2)
        #expect(now.isDisjoint(with: left))
        second.signal(SIGTERM)
        #expect(second.finish().code == 0)
        #expect(try names(in: files.directory) == [])
    }
}
