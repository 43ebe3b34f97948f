internal import ArgumentParser
internal import GoHubConfiguration

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The flags of every command that needs the configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(help: "Read the configuration from this file (JSON). Also: GOHUB_CONFIG.", completion: .file())
    var config: String?

    @Option(help: "The address to listen on, as HOST:PORT.")
    var listen: String?

    @Option(help: "The message store.")
    var store: String?

    @Option(help: "The lowest level to log, such as debug or warning.")
    var logLevel: String?

    @Option(help: ArgumentHelp("Set any other key. May be repeated.", valueName: "key=value"))
    var set: [String] = []

    /// - Parameter environment: the process's own, unless a test passes another.
    func values(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConfigurationError) -> ConfigurationValues {
        try ConfigurationValues(
            file: config ?? environment[ConfigurationSource.fileVariable], environment: environment,
            commandLine: settings())
    }

    private func settings() throws(ConfigurationError) -> [ConfigurationSource.Setting] {
        var settings: [ConfigurationSource.Setting] = []
        for (key, value) in [
            (ConfigurationKey.listen, listen), (ConfigurationKey.store, store), (ConfigurationKey.logLevel, logLevel),
        ] {
            if let value { settings.append(ConfigurationSource.Setting(key: key.name, value: value)) }
        }
        for text in set {
            // A text that isn't a pair may be a misplaced secret, so it isn't repeated.
            guard let sign = text.firstIndex(of: "="), sign > text.startIndex else {
                throw ConfigurationError("Command line: --set takes KEY=VALUE, such as --set deflate=true.")
            }
            settings.append(
                ConfigurationSource.Setting(
                    key: String(text[..<sign]), value: String(text[text.index(after: sign)...])))
        }
        return settings
    }
}
