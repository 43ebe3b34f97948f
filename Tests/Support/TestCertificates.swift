internal import CGoHubOpenSSL
internal import Glibc

/// A throwaway certificate authority in a temporary folder, with a server and a client certificate signed by it. No
/// certificate is in the repository, so none can expire there or be mistaken for a real one.
///
/// The folder is removed with the object: keep it while something reads the files.
public final class TestCertificates: Sendable {
    /// The purpose of a certificate (extended key usage, RFC 5280 section 4.2.1.12).
    public enum Purpose: Sendable {
        case server
        case client
    }

    /// The files of one certificate and its key, in PEM form.
    public struct Pair: Sendable, Hashable {
        public let chainPath: String
        public let keyPath: String

        public init(chainPath: String, keyPath: String) {
            self.chainPath = chainPath
            self.keyPath = keyPath
        }
    }

    /// A failure in OpenSSL or the file system.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// The names and addresses of `server`.
    public static let localNames = "DNS:localhost,IP:127.0.0.1,IP:::1"

    public let folder: String

    /// Valid for `localhost` and `127.0.0.1`.
    public let server: Pair

    /// Its subject is `CN=client`.
    public let client: Pair

    /// The authority's certificate, which clients (and servers that verify clients) trust.
    public var caPath: String { authority.chainPath }

    private let authority: Pair

    /// - Parameter authorityName: the authority's common name. Two with the same name still don't trust each other.
    public init(authorityName: String = "GoHub test authority") throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/gohub-test-certificates-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        guard let folder = made else { throw Failure(description: "mkdtemp failed: errno \(errno)") }
        self.folder = folder
        authority = Self.pair(named: "ca", in: folder)
        server = Self.pair(named: "server", in: folder)
        client = Self.pair(named: "client", in: folder)
        try Self.makeAuthority(authority, commonName: authorityName)
        try issue(server, commonName: "localhost", for: .server)
        try issue(client, commonName: "client", for: .client)
    }

    deinit {
        guard let entries = opendir(folder) else { return }
        while let entry = readdir(entries) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { unlink("\(folder)/\(name)") }
        }
        closedir(entries)
        rmdir(folder)
    }

    /// Issues another certificate of the same authority, in files with this name.
    ///
    /// - Parameters:
    ///   - notBeforeSeconds: start of validity, from now; negative is in the past.
    ///   - notAfterSeconds: end of validity, from now; negative makes it expired.
    ///   - alternativeNames: what a server's certificate is valid for, as OpenSSL reads it; `nil` for nothing.
    public func issue(
        named name: String,
        commonName: String = "localhost",
        for purpose: Purpose,
        notBeforeSeconds: Int = -3600,
        notAfterSeconds: Int = 86_400,
        alternativeNames: String? = TestCertificates.localNames
    ) throws -> Pair {
        let pair = Self.pair(named: name, in: folder)
        try issue(
            pair, commonName: commonName, for: purpose, notBeforeSeconds: notBeforeSeconds,
            notAfterSeconds: notAfterSeconds, alternativeNames: alternativeNames
        )
        return pair
    }

    private func issue(
        _ pair: Pair, commonName: String, for purpose: Purpose, notBeforeSeconds: Int = -3600,
        notAfterSeconds: Int = 86_400, alternativeNames: String? = TestCertificates.localNames
    ) throws {
        let issuerKey = try Self.readKey(authority.keyPath)
        defer { EVP_PKEY_free(issuerKey) }
        let issuer = try Self.readCertificate(authority.chainPath)
        defer { X509_free(issuer) }
        let key = try Self.makeKey()
        defer { EVP_PKEY_free(key) }

        let certificate = try Self.makeCertificate(
            commonName: commonName, key: key, notBeforeSeconds: notBeforeSeconds, notAfterSeconds: notAfterSeconds
        )
        defer { X509_free(certificate) }
        try Self.check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)), "X509_set_issuer_name")
        var extensions = [
            (NID_basic_constraints, "critical,CA:FALSE"),
            (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, purpose == .server ? "serverAuth" : "clientAuth"),
        ]
        if purpose == .server, let alternativeNames { extensions.append((NID_subject_alt_name, alternativeNames)) }
        try Self.finish(certificate, extensions: extensions, issuer: issuer, issuerKey: issuerKey)
        try Self.write(certificate, key, to: pair)
    }
}

// MARK: - Steps

extension TestCertificates {
    private static func pair(named name: String, in folder: String) -> Pair {
        Pair(chainPath: "\(folder)/\(name).pem", keyPath: "\(folder)/\(name)-key.pem")
    }

    private static func makeAuthority(_ pair: Pair, commonName: String) throws {
        let key = try makeKey()
        defer { EVP_PKEY_free(key) }
        let certificate = try makeCertificate(
            commonName: commonName, key: key, notBeforeSeconds: -7200, notAfterSeconds: 172_800
        )
        defer { X509_free(certificate) }
        try Self.check(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)), "X509_set_issuer_name")
        let extensions = [
            (NID_basic_constraints, "critical,CA:TRUE"),
            (NID_key_usage, "critical,keyCertSign,cRLSign"),
        ]
        try finish(certificate, extensions: extensions, issuer: certificate, issuerKey: key)
        try write(certificate, key, to: pair)
    }

    /// P-256: its keys take a fraction of a millisecond, RSA keys a tenth of a second.
    private static func makeKey() throws -> OpaquePointer {
        try require(gohub_EVP_EC_gen("P-256"), "EVP_EC_gen")
    }

    private static func makeCertificate(
        commonName: String, key: OpaquePointer, notBeforeSeconds: Int, notAfterSeconds: Int
    ) throws -> OpaquePointer {
        let certificate = try require(X509_new(), "X509_new")
        try Self.check(X509_set_version(certificate, 2), "X509_set_version")  // 2 means version 3
        let serial = Int64.random(in: 1...Int64.max)
        try Self.check(ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial), "ASN1_INTEGER_set_int64")
        _ = try require(X509_gmtime_adj(X509_getm_notBefore(certificate), notBeforeSeconds), "X509_gmtime_adj")
        _ = try require(X509_gmtime_adj(X509_getm_notAfter(certificate), notAfterSeconds), "X509_gmtime_adj")
        try Self.check(X509_set_pubkey(certificate, key), "X509_set_pubkey")
        let subject = X509_get_subject_name(certificate)
        let name = Array(commonName.utf8)
        let added = X509_NAME_add_entry_by_txt(subject, "CN", utf8StringType, name, Int32(name.count), -1, 0)
        try Self.check(added, "X509_NAME_add_entry_by_txt")
        return certificate
    }

    private static func finish(
        _ certificate: OpaquePointer, extensions: [(Int32, String)], issuer: OpaquePointer, issuerKey: OpaquePointer
    ) throws {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
        for (identifier, value) in extensions {
            let made = try require(X509V3_EXT_conf_nid(nil, &context, identifier, value), "extension \(value)")
            defer { X509_EXTENSION_free(made) }
            try Self.check(X509_add_ext(certificate, made, -1), "X509_add_ext")
        }
        guard X509_sign(certificate, issuerKey, EVP_sha256()) > 0 else { throw failure("X509_sign") }
    }

    private static func write(_ certificate: OpaquePointer, _ key: OpaquePointer, to pair: Pair) throws {
        let chain = try require(BIO_new_file(pair.chainPath, "w"), pair.chainPath)
        defer { BIO_free(chain) }
        try Self.check(PEM_write_bio_X509(chain, certificate), "PEM_write_bio_X509")
        let keyFile = try require(BIO_new_file(pair.keyPath, "w"), pair.keyPath)
        defer { BIO_free(keyFile) }
        try Self.check(PEM_write_bio_PrivateKey(keyFile, key, nil, nil, 0, nil, nil), "PEM_write_bio_PrivateKey")
    }

    private static func readKey(_ path: String) throws -> OpaquePointer {
        let file = try require(BIO_new_file(path, "r"), path)
        defer { BIO_free(file) }
        return try require(PEM_read_bio_PrivateKey(file, nil, nil, nil), path)
    }

    private static func readCertificate(_ path: String) throws -> OpaquePointer {
        let file = try require(BIO_new_file(path, "r"), path)
        defer { BIO_free(file) }
        return try require(PEM_read_bio_X509(file, nil, nil, nil), path)
    }

    /// `MBSTRING_UTF8` is a macro over a flag.
    private static let utf8StringType: Int32 = 0x1000

    private static func check(_ result: Int32, _ doing: String) throws {
        guard result == 1 else { throw failure(doing) }
    }

    private static func require<T>(_ value: T?, _ doing: String) throws -> T {
        guard let value else { throw failure(doing) }
        return value
    }

    private static func failure(_ doing: String) -> Failure {
        let reason = ERR_reason_error_string(ERR_get_error()).map { String(cString: $0) } ?? "no reason given"
        return Failure(description: "\(doing): \(reason)")
    }
}
