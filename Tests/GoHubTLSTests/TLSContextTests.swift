import CGoHubOpenSSL
import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSContextTests {
    let fixture: TLSFixture

    init() throws {
        fixture = try TLSFixture()
    }

    private func failure(_ change: (inout TLSConfiguration) throws -> Void) throws -> TLSError {
        var configuration = fixture.configuration()
        try change(&configuration)
        return try #require(throws: TLSError.self) { _ = try TLSContext(configuration) }
    }

    private func write(_ text: String, named name: String) throws -> String {
        let path = "\(fixture.certificates.folder)/\(name)"
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        try #require(fputs(text, file) >= 0)
        return path
    }

    @Test func missingFiles() throws {
        #expect(
            try failure { $0.certificateChainPath = "/nonexistent/chain.pem" }
                == TLSError(.fileNotFound, "/nonexistent/chain.pem does not exist.")
        )
        #expect(try failure { $0.privateKeyPath = "/nonexistent/key.pem" }.code == .fileNotFound)
        #expect(
            try failure {
                $0.clientCertificates = .required
                $0.clientCAPath = "/nonexistent/ca.pem"
            }.code == .fileNotFound
        )
    }

    @Test func nonRegularFilesAreRefused() throws {
        #expect(try failure { $0.certificateChainPath = fixture.certificates.folder }.code == .unreadableFile)
        let fifo = "\(fixture.certificates.folder)/fifo"
        try #require(mkfifo(fifo, 0o600) == 0)
        #expect(try failure { $0.privateKeyPath = fifo }.code == .unreadableFile)
    }

    @Test func fileThatIsTooLarge() throws {
        let path = try write("", named: "large.pem")
        try #require(truncate(path, PEMFile.sizeBytesMax + 1) == 0)
        #expect(try failure { $0.certificateChainPath = path }.code == .unreadableFile)
    }

    @Test func forbiddenFileIsNamedAsSuch() {
        // Tests may run as root, which may read every file: this checks only the error's translation.
        #expect(TLSError.opening("/etc/key.pem", EACCES).code == .permissionDenied)
        #expect(TLSError.opening("/etc/key.pem", EMFILE).code == .unreadableFile)
    }

    @Test func contentThatIsNotPEM() throws {
        let empty = try write("", named: "empty.pem")
        let junk = try write("hello\n", named: "junk.pem")
        let damaged = try write(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", named: "damaged.pem"
        )
        for path in [empty, junk, damaged, fixture.certificates.server.keyPath] {
            #expect(try failure { $0.certificateChainPath = path }.code == .notPEM)
        }
        for path in [empty, junk, damaged, fixture.certificates.server.chainPath] {
            #expect(try failure { $0.privateKeyPath = path }.code == .notPEM)
        }
        #expect(
            try failure {
                $0.clientCertificates = .optional
                $0.clientCAPath = junk
            }.code == .notPEM
        )
    }

    @Test func keyOfAnotherCertificate() throws {
        let error = try failure { $0.privateKeyPath = fixture.certificates.client.keyPath }
        #expect(error.code == .keyMismatch)
        #expect(error.description.contains(fixture.certificates.client.keyPath))
    }

    @Test func keyWithAPassphrase() throws {
        let path = "\(fixture.certificates.folder)/encrypted-key.pem"
        let source = try #require(BIO_new_file(fixture.certificates.server.keyPath, "r"))
        defer { BIO_free(source) }
        let key = try #require(PEM_read_bio_PrivateKey(source, nil, nil, nil))
        defer { EVP_PKEY_free(key) }
        let target = try #require(BIO_new_file(path, "w"))
        #expect(PEM_write_bio_PKCS8PrivateKey(target, key, EVP_aes_256_cbc(), "secret", 6, nil, nil) == 1)
        BIO_free(target)
        #expect(try failure { $0.privateKeyPath = path }.code == .encryptedKey)
    }

    @Test func datesOfTheCertificate() throws {
        let expired = try fixture.certificates.issue(named: "expired", for: .server, notAfterSeconds: -60)
        #expect(
            try failure {
                $0.certificateChainPath = expired.chainPath
                $0.privateKeyPath = expired.keyPath
            }.code == .certificateExpired
        )
        let early = try fixture.certificates.issue(named: "early", for: .server, notBeforeSeconds: 3600)
        #expect(
            try failure {
                $0.certificateChainPath = early.chainPath
                $0.privateKeyPath = early.keyPath
            }.code == .certificateNotYetValid
        )
    }

    @Test func clientCertificatesNeedAuthorities() throws {
        #expect(try failure { $0.clientCertificates = .optional }.code == .invalidConfiguration)
        #expect(try failure { $0.clientCertificates = .required }.code == .invalidConfiguration)
    }

    @Test func chainAndKeyMayShareAFile() throws {
        var text = ""
        for path in [fixture.certificates.server.keyPath, fixture.certificates.server.chainPath] {
            let file = try #require(fopen(path, "r"))
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = fread(&bytes, 1, bytes.count, file)
            text += String(decoding: bytes.prefix(count), as: UTF8.self)
        }
        let path = try write(text, named: "both.pem")
        let configuration = TLSConfiguration(certificateChainPath: path, privateKeyPath: path)
        try TLSPair.connected(TLSContext(configuration), fixture.options()).exchange()
    }
}
