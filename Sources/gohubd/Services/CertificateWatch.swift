internal import ServiceLifecycle

/// Checks every few seconds whether the certificate was renewed.
struct CertificateWatch: Service {
    private static let interval = Duration.seconds(10)

    let reloader: Reloader

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil {
                reloader.reloadCertificateIfChanged()
            }
        }
    }
}
