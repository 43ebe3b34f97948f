import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubConfiguration
@testable import gohubd

/// The program started in a broken environment: with missing, forbidden, mixed-up or full resources. Each gives an
/// error message that says what to do, or does no harm.
@Suite(.serialized) struct StrangerTests {
    // MARK: Failed starts

    private func refusal(_ settings: [String]) throws -> String {
        var refusals: [String] = []
        for command in ["check-config", "serve"] {
            let process = try GohubdProcess(
                [command] + ["listen=127.0.0.1:0"].filter { _ in command == "serve" }.flatMap { ["--set", $0] }
                    + settings.flatMap { ["--set", $0] })
            let (code, output, errors) = process.finish()
            #expect(code == 2)
            #expect(output.isEmpty)
            #expect(errors.split(separator: "\n").count == 1)
            refusals.append(errors)
        }
        #expect(refusals.first == refusals.last)
        return refusals.first ?? ""
    }

    @Test func badCertificatesAreNamed() throws {
        let certificates = try TestCertificates()
        let (chain, key) = (certificates.server.chainPath, certificates.server.keyPath)
        let other = try certificates.issue(named: "other", for: .server)
        let expired = try certificates.issue(named: "expired", for: .server, notAfterSeconds: -60)
        let early = try certificates.issue(named: "early", for: .server, notBeforeSeconds: 3_600)
        let files = try TemporaryFiles()
        let junk = try files.write("junk.pem", "not a certificate")
        for (chain, key, sentence) in [
            (
                chain, other.keyPath,
                "The private key in \(other.keyPath) does not belong to the first certificate in \(chain)."
            ),
            (expired.chainPath, expired.keyPath, "Certificate 1 in \(expired.chainPath) has expired. Renew it."),
            (early.chainPath, early.keyPath, "is not valid yet. Check the clock of this machine."),
            (junk, key, "\(junk) contains no certificate in PEM form."),
            (chain, junk, "\(junk) contains no private key in PEM form"),
            (chain, "/nowhere/key.pem", "/nowhere/key.pem does not exist."),
        ] {
            let errors = try refusal(["tls.certificate=\(chain)", "tls.key=\(key)"])
            #expect(errors.contains(sentence))
            #expect(errors.hasPrefix("gohubd: tls: "))
        }
    }

    /// In an unprivileged process, since root may read everything.
    @Test func unreadableFilesAreNamed() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                let certificates = try TestCertificates()
                let files = try TemporaryFiles()
                let secret = try files.write("secret", String(repeating: "s", count: 64))
                // As root, the files belong to another user. Otherwise they are the user's own, without permission.
                for path in [secret, certificates.server.keyPath] { chmod(path, 0) }
                chmod(files.directory, 0o755)
                chmod(certificates.folder, 0o755)
                if getuid() == 0 {
                    try #require(setgroups(0, nil) == 0 && setgid(65_534) == 0 && setuid(65_534) == 0)
                }
                func refusal(_ settings: [String: String]) async -> String {
                    do {
                        try await Assembly.check(DaemonConfiguration.make(settings))
                        return "no error"
                    } catch {
                        return "\(error)"
                    }
                }
                #expect(
                    await refusal(["auth.secretFile": secret]).contains(
                        "\(secret) cannot be read: this user has no permission to read it"))
                #expect(
                    await refusal(["api.keyFile": secret]).contains(
                        "\(secret) cannot be read: this user has no permission to read it"))
                let (chain, key) = (certificates.server.chainPath, certificates.server.keyPath)
                #expect(
                    await refusal(["tls.certificate": chain, "tls.key": key])
                        .contains("\(key) is not readable by the user the server runs as."))
            }
        }
    }

    // MARK: Unwritable logs

    enum Fate: CaseIterable {
        /// A pipe that nobody reads; a pipe whose reader has closed; a full disk.
        case unread, closed, full
    }

    @Test(arguments: Fate.allCases) func hubSurvivesFailingLog(fate: Fate) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // The smallest size (F_SETPIPE_SZ, which Swift doesn't import).
        _ = fcntl(ends[1], 1031, 4_096)
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        let port = try Self.freePort()
        if fate == .closed { close(ends[0]) }
        let process = try GohubdProcess(
            [
                "serve", "--listen", "127.0.0.1:\(port)", "--store", "memory", "--log-level", "debug", "--set",
                "drain.closeOverMs=0",
            ],
            standardError: fate == .full ? full : ends[1])
        try Self.waitUntilItListens(port)
        // Each is a log line at this level, written by an event loop: together far more than the pipe holds.
        for _ in 0..<300 {
            let client = try BlockingClient(port: port)
            client.send(Array("GET /v1/ws HTTP/0.9\r\n\r\n".utf8))
            #expect(!client.read(until: []).isEmpty)
        }
        let client = try BlockingClient(port: port)
        #expect(client.hello(as: "alice").contains(#""op":"welcome""#))
        process.signal(SIGTERM)
        // The close frame, and its answer.
        #expect(client.read(until: Array("service restart".utf8)).contains(Array("service restart".utf8)))
        client.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xF4])
        #expect(process.finish().code == 0)
        close(ends[1])
        close(full)
        if fate != .closed { close(ends[0]) }
    }

    /// A port that was free a moment ago: an unreadable log doesn't tell which one the system has chosen.
    private static func freePort() throws -> UInt16 {
        let descriptor = Loopback.socket()
        defer { close(descriptor) }
        guard Loopback.bind(descriptor) else { throw GohubdProcess.Failure(what: "bind") }
        return Loopback.port(of: descriptor)
    }

    private static func waitUntilItListens(_ port: UInt16) throws {
        // Half a minute, which only a program that never listens takes.
        for _ in 0..<600 {
            if (try? BlockingClient(port: port)) != nil { return }
            usleep(50_000)
        }
        throw GohubdProcess.Failure(what: "nothing listens on \(port)")
    }
}
