import Glibc
import Testing

@testable import gohubd

/// The program's answers to a handshake, and to the same request without an upgrade: a page can't read the former, so
/// it reads the latter.
@Suite(.serialized) struct HandshakeAnswersTests {
    private static let upgrade = [
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]

    private func serve(_ settings: [String], environment: [String: String] = [:]) throws -> (GohubdProcess, UInt16) {
        let process = try GohubdProcess(
            ["serve", "--listen", "127.0.0.1:0", "--store", "memory", "--set", "files.enabled=false"]
                + settings.flatMap { ["--set", $0] }, environment: environment)
        let log = try process.waitFor("serverAPI=")
        let listen = try #require(log.firstRange(of: "listen=127.0.0.1:"))
        return (process, try #require(UInt16(log[listen.upperBound...].prefix { $0.isNumber })))
    }

    private func request(_ fields: [String], host: String = "localhost") -> [UInt8] {
        Array((["GET /v1/ws HTTP/1.1", "Host: \(host)"] + fields + ["", ""]).joined(separator: "\r\n").utf8)
    }

    /// The head of an answer in lower case, and the part of its body that came with it.
    private func answer(_ client: BlockingClient, _ request: [UInt8]) -> String {
        client.sendAll(request)
        var answer = client.read(until: Array("\r\n\r\n".utf8))
        let head = String(decoding: answer, as: UTF8.self).lowercased()
        let length = head.firstRange(of: "content-length: ").flatMap {
            Int(head[$0.upperBound...].prefix(while: \.isNumber))
        }
        let start = (answer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound ?? answer.count)
        while let length, answer.count < start + length, case let more = client.readSome(), !more.isEmpty {
            answer += more
        }
        return String(decoding: answer, as: UTF8.self).lowercased()
    }

    private func status(_ answer: String) -> Int { Int(answer.dropFirst(9).prefix(3)) ?? 0 }

    @Test func probeMatchesHandshakeForOriginAndHost() throws {
        let (process, port) = try serve([])
        defer { process.signal(SIGKILL) }
        for (host, origin, expected) in [
            ("localhost:\(port)", nil, 101), ("localhost:\(port)", "http://localhost:\(port)", 101),
            ("localhost:\(port)", "https://evil.example", 403), ("localhost:\(port)", "null", 403),
            ("evil.example:\(port)", "http://evil.example:\(port)", 403),
        ] as [(String, String?, Int)] {
            let fields = origin.map { ["Origin: \($0)"] } ?? []
            let handshake = answer(try BlockingClient(port: port), request(Self.upgrade + fields, host: host))
            #expect(status(handshake) == expected, "\(host) \(origin ?? "")")
            let probe = answer(try BlockingClient(port: port), request(fields, host: host))
            #expect(status(probe) == (expected == 101 ? 426 : expected), "\(host) \(origin ?? "")")
            guard expected == 403 else { continue }
            // A page of any origin may read it.
            #expect(probe.contains("access-control-allow-origin: "))
            #expect(probe.contains(#""code":"forbidden""#))
        }
    }

    /// A proxy that terminates TLS says so, and "same-origin" refers to the page's address.
    @Test func behindATrustedProxyTheOriginIsJudgedByThePagesOwnLink() throws {
        let (process, port) = try serve(
            ["trustedProxies=127.0.0.1"],
            environment: ["GOHUB_AUTH_SECRET": "hush-0123456789abcdef0123456789abcdef"])
        defer { process.signal(SIGKILL) }
        for (proto, expected) in [("https", 101), ("http", 403)] {
            let fields = ["Origin: https://hub.example", "X-Forwarded-Proto: \(proto)"]
            let handshake = answer(try BlockingClient(port: port), request(Self.upgrade + fields, host: "hub.example"))
            #expect(status(handshake) == expected)
            let probe = answer(try BlockingClient(port: port), request(fields, host: "hub.example"))
            #expect(status(probe) == (expected == 101 ? 426 : expected))
        }
    }

    @Test func addressAtItsLimitIsReported() throws {
        let (process, port) = try serve(["connections.perAddressMax=2"])
        defer { process.signal(SIGKILL) }
        let sockets = try (0..<2).map { _ in try BlockingClient(port: port) }
        for socket in sockets { #expect(status(answer(socket, request(Self.upgrade))) == 101) }
        #expect(status(answer(try BlockingClient(port: port), request(Self.upgrade))) == 429)
        // The probe needs a connection too. It is refused before its request is read, and every page may read that
        // refusal.
        let refused = answer(try BlockingClient(port: port), request(["Origin: http://localhost"]))
        #expect(status(refused) == 429)
        #expect(refused.contains("access-control-allow-origin: *\r\n"))
        withExtendedLifetime(sockets) {}
    }

    @Test func originsWithoutSameOriginCauseWarning() throws {
        let left = ["--set", "origins=https://chat.example.com"]
        let check = try GohubdProcess(["check-config"] + left).finish()
        #expect(check.code == 0)
        #expect(check.errors.hasPrefix("gohubd: warning: origins does not include same-origin, "))
        let process = try GohubdProcess(["serve", "--listen", "127.0.0.1:0", "--store", "memory"] + left)
        defer { process.signal(SIGKILL) }
        #expect(try process.waitFor("To leave this mode").contains("origins does not include same-origin"))
        for origins in ["same-origin,https://chat.example.com", "*", ""] {
            let check = try GohubdProcess(
                ["check-config"] + (origins.isEmpty ? [] : ["--set", "origins=\(origins)"])
            ).finish()
            #expect(check.code == 0 && check.errors.isEmpty, "\(origins)")
        }
    }
}
