internal import GoHubConfiguration
internal import GoHubHTTP

/// The key of the server API, and where it is read again from.
struct ReloadingAPIKey: Sendable {
    let key: APIKey
    private let source: SecretSource

    init(_ source: SecretSource) throws(ConfigurationError) {
        guard let key = APIKey(try source.read(bytesMin: APIKey.bytesMin)) else { throw Self.tooShort(source) }
        self.key = key
        self.source = source
    }

    /// If the file is invalid, the key stays unchanged.
    func reload() throws(ConfigurationError) {
        guard key.replace(with: try source.read(bytesMin: APIKey.bytesMin)) else { throw Self.tooShort(source) }
    }

    private static func tooShort(_ source: SecretSource) -> ConfigurationError {
        ConfigurationError("\(source) must have at least \(APIKey.bytesMin) bytes.")
    }
}
