import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubWire

@Suite struct CertificateReloadTests {
    @Test func newConnectionsGetNewCertificateOldOnesContinue() async throws {
        var reloader: TLSReloader?
        try await ServerFixture.run(isTLS: true, configure: { reloader = $0.tls }) { fixture in
            let certificates = try #require(fixture.certificates)
            let old = try await fixture.join(as: "alice")
            let fresh = try certificates.issue(named: "fresh", for: .server)
            try #require(rename(fresh.chainPath, certificates.server.chainPath) == 0)
            try #require(rename(fresh.keyPath, certificates.server.keyPath) == 0)
            #expect(try #require(reloader).reloadIfChanged())

            let new = try await fixture.join(as: "bob")
            #expect(try await old.serverCertificateSerial() != new.serverCertificateSerial())
            try await new.say("hello", in: "lobby", id: "1")
            #expect(try await old.expect("message")["text"] == "hello")
            try await old.say("hello yourself", in: "lobby", id: "1")
            _ = try await new.expect("message")
            #expect(try await new.expect("message")["text"] == "hello yourself")
        }
    }

    @Test func invalidCertificateChangesNothing() async throws {
        var reloader: TLSReloader?
        try await ServerFixture.run(isTLS: true, configure: { reloader = $0.tls }) { fixture in
            let certificates = try #require(fixture.certificates)
            let first = try await fixture.join(as: "alice")
            try #require(truncate(certificates.server.chainPath, 100) == 0)
            #expect(throws: TLSError.self) { try #require(reloader).reload() }
            let second = try await fixture.join(as: "bob")
            #expect(try await first.serverCertificateSerial() == second.serverCertificateSerial())
        }
    }
}
