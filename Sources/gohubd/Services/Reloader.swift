internal import GoHubConfiguration
internal import GoHubWire
internal import Logging
internal import Synchronization

/// Reads certificates and keys again while the daemon runs. What isn't good is logged, and the old stays in use.
final class Reloader: Sendable {
    private let tls: TLSReloader?
    private let verifier: ReloadingVerifier?
    private let apiKey: ReloadingAPIKey?
    private let logger: Logger
    /// What was last found wrong with the certificate, so that a look each few seconds doesn't fill the log.
    private let lastComplaint = Mutex<String?>(nil)

    init(tls: TLSReloader?, verifier: ReloadingVerifier?, apiKey: ReloadingAPIKey?, logger: Logger) {
        self.tls = tls
        self.verifier = verifier
        self.apiKey = apiKey
        self.logger = logger
    }

    /// Everything, changed or not.
    func reload() async {
        attempt("TLS certificate", tls) { try $0.reload() }
        attempt("server API key", apiKey) { try $0.reload() }
        guard let verifier else { return }
        do throws(ConfigurationError) {
            try await verifier.reload()
            logger.notice("reloaded: token keys")
        } catch {
            logger.error("not reloaded: token keys; the old stay in use", metadata: ["reason": "\(error)"])
        }
    }

    /// The certificate, if one of its files has changed.
    func reloadCertificateIfChanged() {
        guard let tls else { return }
        do throws(TLSError) {
            let isNew = try tls.reloadIfChanged()
            lastComplaint.withLock { $0 = nil }
            if isNew { logger.notice("reloaded: TLS certificate") }
        } catch {
            let isKnown = lastComplaint.withLock { last in
                defer { last = error.description }
                return last == error.description
            }
            guard !isKnown else { return }
            logger.error("not reloaded: TLS certificate; the old stays in use", metadata: ["reason": "\(error)"])
        }
    }

    private func attempt<Part>(_ name: String, _ part: Part?, _ reload: (Part) throws -> Void) {
        guard let part else { return }
        do {
            try reload(part)
            logger.notice("reloaded: \(name)")
        } catch {
            logger.error("not reloaded: \(name); the old stays in use", metadata: ["reason": "\(error)"])
        }
    }
}
