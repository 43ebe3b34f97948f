import Glibc
import GoHubTestSupport
import Testing

@testable import gohubd

/// Plain HTTP through the program itself: the edge, the tunnel and the HTTP server.
@Suite(.serialized) struct PlainHTTPServerTests {
    private func withHub(
        _ settings: [String] = [], _ test: (GohubdProcess, _ port: UInt16) async throws -> Void
    ) async throws {
        let process = try GohubdProcess(
            ["serve", "--listen", "127.0.0.1:0", "--store", "memory"] + settings.flatMap { ["--set", $0] })
        defer {
            process.signal(SIGKILL)
            _ = process.finish()
        }
        let log = try process.waitFor("To leave this mode")
        let listen = try #require(log.firstRange(of: "listen=127.0.0.1:"))
        try await test(process, try #require(UInt16(log[listen.upperBound...].prefix { $0.isNumber })))
    }

    private func request(_ path: String, _ fields: String = "") -> [UInt8] {
        Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n".utf8)
    }

    private func ask(_ port: UInt16, _ path: String) throws -> String {
        let client = try BlockingClient(port: port)
        client.sendAll(request(path, "Connection: close\r\n"))
        return String(decoding: client.read(until: []), as: UTF8.self)
    }

    @Test func unreadBurstCostsLittleAndDelaysNobody() async throws {
        try await withHub { process, port in
            #expect(try ask(port, "/").hasPrefix("HTTP/1.1 200 OK\r\n"))
            let before = try process.memory("VmRSS")
            let burst = Array(repeating: request("/"), count: 5_000).flatMap { $0 }
            let attackers = try (0..<24).map { _ in
                let client = try BlockingClient(port: port)
                client.sendAll(burst)
                return client
            }
            for _ in 0..<100 { #expect(try ask(port, "/healthz").hasSuffix(#"{"status":"alive"}"#)) }
            let growth = try process.memory("VmHWM") - before
            #expect(growth < 24 << 20, "the hub grew by \(growth) bytes")
            withExtendedLifetime(attackers) {}
        }
    }

    @Test func aKeptConnectionServesRequestAfterRequest() async throws {
        try await withHub { _, port in
            let client = try BlockingClient(port: port)
            for path in ["/healthz", "/nope", "/healthz"] {
                client.sendAll(request(path))
                let answer = String(decoding: client.read(until: Array("}".utf8)), as: UTF8.self)
                #expect(answer.hasPrefix(path == "/nope" ? "HTTP/1.1 404 " : "HTTP/1.1 200 "))
            }
            // A bodiless answer, a pipelined request, and one without Host, with the hub's own error texts.
            client.sendAll(
                Array("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8) + request("/readyz")
                    + Array("GET /healthz HTTP/1.1\r\n\r\n".utf8) + request("/healthz"))
            let answers = String(decoding: client.read(until: []), as: UTF8.self)
            let statuses = answers.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
            #expect(statuses == ["200", "200", "400"])
            #expect(answers.hasSuffix("The request has no Host.\n"))
        }
    }

    @Test func otherUpgradeIsServedAsPlainHTTP() async throws {
        try await withHub { _, port in
            let client = try BlockingClient(port: port)
            for fields in [
                "Connection: Upgrade\r\nUpgrade: h2c\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\n", "",
            ] {
                client.sendAll(request("/healthz", fields))
                let answer = String(decoding: client.read(until: Array("}".utf8)), as: UTF8.self)
                #expect(answer.hasPrefix("HTTP/1.1 200 "))
            }
        }
    }

    /// Many browsers behind one address, each with as many connections as a browser opens: more than are served at the
    /// same time.
    @Test func anOfficeFitsIn() async throws {
        try await withHub { _, port in
            let connections = try (0..<300).map { _ in
                let client = try BlockingClient(port: port)
                client.sendAll(request("/healthz"))
                return client
            }
            // All are kept alive, and each sends more requests.
            for round in 0..<3 {
                var statuses: [String: Int] = [:]
                if round > 0 { for client in connections { client.sendAll(request("/healthz")) } }
                for client in connections {
                    let answer = String(decoding: client.read(until: Array("}".utf8)), as: UTF8.self)
                    statuses[String(answer.prefix(12)), default: 0] += 1
                }
                #expect(statuses == ["HTTP/1.1 200": 300])
            }
        }
    }
}
