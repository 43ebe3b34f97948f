import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSClientContextTests {
    let fixture: TLSClientFixture

    init() throws {
        fixture = try TLSClientFixture()
    }

    private func failure(_ change: (inout TLSClientSettings) -> Void) throws -> TLSError {
        let settings = fixture.settings(change)
        return try #require(throws: TLSError.self) { _ = try TLSClientContext(settings) }
    }

    @Test func missingFilesAreNamed() throws {
        let client = fixture.certificates.client
        #expect(
            try failure { $0.authoritiesPath = "/nonexistent/ca.pem" }
                == TLSError(.fileNotFound, "/nonexistent/ca.pem does not exist."))
        #expect(
            try failure {
                $0.certificateChainPath = "/nonexistent/client.pem"
                $0.privateKeyPath = client.keyPath
            }.code == .fileNotFound)
        #expect(
            try failure {
                $0.certificateChainPath = client.chainPath
                $0.privateKeyPath = "/nonexistent/key.pem"
            }.code == .fileNotFound)
    }

    @Test func fileOfAuthoritiesIsBounded() throws {
        let path = "\(fixture.certificates.folder)/large.pem"
        let descriptor = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(ftruncate(descriptor, PEMFile.sizeBytesMax + 1) == 0)
        #expect(try failure { $0.authoritiesPath = path }.code == .unreadableFile)
    }

    @Test func otherContentIsNotPEM() throws {
        #expect(try failure { $0.authoritiesPath = fixture.certificates.client.keyPath }.code == .notPEM)
    }

    @Test func certificateAndKeyBelongTogether() throws {
        let client = fixture.certificates.client
        #expect(
            try failure { $0.certificateChainPath = client.chainPath }
                == TLSError(
                    .invalidConfiguration, "A client certificate is set, but not its private key. Set both."))
        #expect(try failure { $0.privateKeyPath = client.keyPath }.code == .invalidConfiguration)
        #expect(
            try failure {
                $0.certificateChainPath = client.chainPath
                $0.privateKeyPath = fixture.certificates.server.keyPath
            }.code == .keyMismatch)
    }

    @Test func expiredClientCertificateIsRefused() throws {
        let expired = try fixture.certificates.issue(named: "expired", for: .client, notAfterSeconds: -60)
        #expect(
            try failure {
                $0.certificateChainPath = expired.chainPath
                $0.privateKeyPath = expired.keyPath
            }.code == .certificateExpired)
    }

    /// Texts that OpenSSL or the system's parser of addresses would shorten or widen, among them.
    @Test(
        arguments: [
            "", ".", "..", ".localhost", "a..b", "localhost..", "*.localhost", "localhost\0.evil.example",
            "127.0.0.1\0", "[::1]", "::1%lo", "local host", "localhost\n", "b\u{fc}cher.example", "a:1",
            String(repeating: "a", count: 64), String(repeating: "a.", count: 126) + "aa",
        ])
    func textThatIsNoNameIsRefused(_ text: String) throws {
        let error = try failure { $0.serverName = text }
        #expect(error.code == .invalidConfiguration)
        #expect(text.count < 5 || !error.message.contains(text))
        let context = try fixture.client()
        #expect(throws: error) { _ = try TLSClientConnection(context: context, host: text, descriptor: -1) }
    }

    @Test(
        arguments: [
            "a", "localhost", "Redis-1.example.", "_tls.example", "127.1", String(repeating: "a", count: 63),
            String(repeating: "a.", count: 126) + "a.", "::1", "127.0.0.1", "fe80::1",
        ])
    func namesAndAddressesAreAccepted(_ text: String) throws {
        _ = try TLSClientConnection(context: fixture.client(), host: text, descriptor: -1)
    }
}
