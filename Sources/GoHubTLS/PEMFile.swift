internal import CGoHubOpenSSL
internal import Glibc
internal import GoHubSystem

/// The bytes of one PEM file, read whole and bounded. They are wiped from memory on release, because the file may
/// contain the private key.
package final class PEMFile {
    /// A chain or a bundle of authorities has a few KiB, a system's whole trust store about 230 KiB.
    static let sizeBytesMax = 1 << 20

    let path: String

    /// Allocated by `init`, freed by `deinit`, and lent only to `withBIO`'s closure.
    private let bytes: UnsafeMutableRawBufferPointer

    package init(path: String) throws(TLSError) {
        let file: BoundedFile
        do throws(BoundedFile.Failure) {
            file = try BoundedFile(path, bytesMax: Self.sizeBytesMax)
        } catch {
            throw TLSError(error, reading: path)
        }
        self.path = path
        bytes = .allocate(byteCount: file.size, alignment: 1)
        // The fields are complete, so that leaving from here on runs `deinit`.
        do throws(BoundedFile.Failure) {
            try file.read(into: bytes)
        } catch {
            throw TLSError(error, reading: path)
        }
    }

    deinit {
        OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        bytes.deallocate()
    }

    /// Calls `body` with an OpenSSL reader over the bytes. It starts at the first byte and is valid only
    /// during the call.
    private func withBIO<Result>(_ body: (OpaquePointer) throws(TLSError) -> Result) throws(TLSError) -> Result {
        // `sizeBytesMax` keeps the count far below Int32.max. A memory BIO over foreign bytes is read-only.
        guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
            throw TLSError.queued("Cannot read \(path)")
        }
        defer { BIO_free(bio) }
        return try body(bio)
    }
}

// MARK: - Contents

extension PEMFile {
    /// Calls `body` with each certificate of the file, in order, and its index. The certificate is freed
    /// when `body` returns: it takes a reference if it wants to keep it.
    package func forEachCertificate(
        _ body: (_ index: Int, _ certificate: OpaquePointer) throws(TLSError) -> Void
    ) throws(TLSError) {
        guard !bytes.isEmpty else { throw TLSError(.notPEM, "\(path) is empty.") }
        try withBIO { (bio) throws(TLSError) in
            var index = 0
            ERR_clear_error()
            while let certificate = PEM_read_bio_X509(bio, nil, refusePassphrase, nil) {
                defer { X509_free(certificate) }
                try body(index, certificate)
                index += 1
            }
            // The reader reports "no start line" when there are no more certificates.
            let error = ERR_peek_last_error()
            let isEnd = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
            guard isEnd else { throw TLSError.queued("A certificate in \(path) is damaged", as: .notPEM) }
            ERR_clear_error()
            guard index > 0 else { throw TLSError(.notPEM, "\(path) contains no certificate in PEM form.") }
        }
    }

    /// The first private key of the file. The caller frees it with `EVP_PKEY_free`.
    package func readPrivateKey() throws(TLSError) -> OpaquePointer {
        guard !bytes.isEmpty else { throw TLSError(.notPEM, "\(path) is empty.") }
        return try withBIO { (bio) throws(TLSError) in
            ERR_clear_error()
            var isEncrypted = false
            if let key = PEM_read_bio_PrivateKey(bio, nil, refusePassphrase, &isEncrypted) { return key }
            if isEncrypted {
                ERR_clear_error()
                throw TLSError(
                    .encryptedKey,
                    "The private key in \(path) has a passphrase. Use a key without one, readable only by the server."
                )
            }
            ERR_clear_error()
            throw TLSError(.notPEM, "\(path) contains no private key in PEM form, or the key is damaged.")
        }
    }
}

/// Replaces OpenSSL's default, which asks on the terminal and would hang a daemon. `context` is a `Bool` to raise, or
/// `nil`.
private func refusePassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isWriting: Int32, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    context?.assumingMemoryBound(to: Bool.self).pointee = true
    return -1
}

extension TLSError {
    /// An error for the operator who configured the file.
    fileprivate init(_ failure: BoundedFile.Failure, reading path: String) {
        switch failure.reason {
        case .system(let code):
            self = .opening(path, code, underlying: failure)
        case .notRegular:
            self.init(.unreadableFile, "\(path) is not a regular file.", underlying: failure)
        case .tooLarge:
            self.init(
                .unreadableFile, "\(path) is larger than \(PEMFile.sizeBytesMax) bytes, the limit for PEM files.",
                underlying: failure)
        case .cut, .content:
            self.init(
                .unreadableFile, "\(path) could not be read completely. It may be in the process of being replaced.",
                underlying: failure)
        }
    }

    /// Explains an `errno` of opening a file to the person who configured it.
    static func opening(_ path: String, _ error: Int32, underlying: (any Error)? = nil) -> TLSError {
        switch error {
        case ENOENT, ENOTDIR:
            return TLSError(.fileNotFound, "\(path) does not exist.", underlying: underlying)
        case EACCES, EPERM:
            return TLSError(
                .permissionDenied, "\(path) is not readable by the user the server runs as.", underlying: underlying)
        default:
            return TLSError(
                .unreadableFile, "\(path) cannot be opened: \(systemErrorText(error)).", underlying: underlying)
        }
    }
}
