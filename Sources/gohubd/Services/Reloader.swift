internal import GoHubConfiguration
internal import GoHubWire
internal import Logging
internal import Synchronization

/// Reloads certificates and keys while the daemon runs. Invalid ones are logged, and the old ones stay in use.
final class Reloader: Sendable {
    private let tls: TLSReloader?
    private let verifier: ReloadingVerifier?
    private let apiKey: ReloadingAPIKey?
    private let logger: Logger
    /// The last reported problem of the certificate, so that checks every few seconds don't fill the log.
    private let lastComplaint = Mutex<String?>(nil)

    init(tls: TLSReloader?, verifier: ReloadingVerifier?, apiKey: ReloadingAPIKey?, logger: Logger) {
        self.tls = tls
        self.verifier = verifier
        self.apiKey = apiKey
        self.logger = logger
    }

    /// Reloads everything, changed or not.
    func reload() async {
        attempt("TLS certificate", tls) { try $0.reload() }
        attempt("server API key", apiKey) { try $0.reload() }
        guard let verifier else { return }
        do throws(ConfigurationError) {
            try await verifier.reload()
            logger.notice("reloaded: token keys")
        } catch {
            logger.error("reload failed: token keys; the previous keys stay in use", metadata: ["reason": "\(error)"])
        }
    }

    /// Reloads the certificate, if one of its files has changed.
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
            logger.error(
                "reload failed: TLS certificate; the previous one stays in use", metadata: ["reason": "\(error)"])
        }
    }

    private func attempt<Part>(_ name: String, _ part: Part?, _ reload: (Part) throws -> Void) {
        guard let part else { return }
        do {
            try reload(part)
            logger.notice("reloaded: \(name)")
        } catch {
            logger.error("reload failed: \(name); the previous one stays in use", metadata: ["reason": "\(error)"])
        }
    }
}
