internal import Glibc
internal import Synchronization

/// Holds the TLS context of new connections, and replaces it when the certificate is renewed.
///
/// A replacement happens only if the new files are valid; otherwise the old context stays and the error has the reason.
/// Live connections keep the context they started with. Safe to use from any thread.
public final class TLSReloader: Sendable {
    /// The files of the certificate.
    public let configuration: TLSConfiguration

    private let context: Mutex<TLSContext>

    /// The state of the files when `context` was loaded. Held for the whole of a reload, so that two concurrent reloads
    /// cannot finish in the wrong order; connections wait only for `context`.
    private let loaded: Mutex<[FileFingerprint?]>

    /// Loads the files for the first time.
    ///
    /// - Throws: `TLSError` that names the file and the problem.
    public init(_ configuration: TLSConfiguration) throws(TLSError) {
        self.configuration = configuration
        // Taken before the files are read: a change in between is then noticed at the next check.
        loaded = Mutex(Self.fingerprints(configuration))
        context = Mutex(try TLSContext(configuration))
    }

    /// The context for a new connection.
    package var current: TLSContext {
        context.withLock { $0 }
    }

    /// Loads the files again, changed or not. The ticket keys are new afterwards.
    ///
    /// - Throws: `TLSError` if the new files are invalid; the old certificate stays in use.
    public func reload() throws(TLSError) {
        try loaded.withLock { (loaded) throws(TLSError) in
            try reload(&loaded, seeing: Self.fingerprints(configuration))
        }
    }

    /// Loads the files again if one was replaced or rewritten since the last successful load. Cheap enough for a timer:
    /// three `stat` calls.
    ///
    /// - Returns: whether there is a new certificate.
    /// - Throws: `TLSError` if the new files are invalid, and again at each call until they are valid.
    public func reloadIfChanged() throws(TLSError) -> Bool {
        try loaded.withLock { (loaded) throws(TLSError) in
            let seen = Self.fingerprints(configuration)
            guard seen != loaded else { return false }
            try reload(&loaded, seeing: seen)
            return true
        }
    }

    private func reload(_ loaded: inout [FileFingerprint?], seeing seen: [FileFingerprint?]) throws(TLSError) {
        let fresh = try TLSContext(configuration)
        context.withLock { $0 = fresh }
        loaded = seen
    }

    private static func fingerprints(_ configuration: TLSConfiguration) -> [FileFingerprint?] {
        [configuration.certificateChainPath, configuration.privateKeyPath, configuration.clientCAPath].map { path in
            path.flatMap(FileFingerprint.init)
        }
    }
}

/// Distinguishes one version of a file from the next without reading it. Symbolic links are followed: tools that renew
/// certificates often swap a link.
private struct FileFingerprint: Equatable, Sendable {
    let device: UInt64
    let inode: UInt64
    let sizeBytes: Int
    let modifiedSeconds: Int
    let modifiedNanoseconds: Int

    /// `nil` if there is no such file, or it is not accessible.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        sizeBytes = Int(status.st_size)
        modifiedSeconds = Int(status.st_mtim.tv_sec)
        modifiedNanoseconds = Int(status.st_mtim.tv_nsec)
    }
}
