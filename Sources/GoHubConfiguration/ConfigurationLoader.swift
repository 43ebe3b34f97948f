internal import Configuration

/// The settings as they came from all sources: the command line before the environment, that before the file, that
/// before the defaults.
package struct ConfigurationValues {
    private let reader: ConfigReader
    private let sources: [ConfigurationSource]

    /// - Parameters:
    ///   - file: the path of a file, if there is one.
    ///   - environment: all variables; those that don't begin with `GOHUB_` are left alone.
    /// - Throws: `ConfigurationError` with every problem of every source, not only the first.
    package init(
        file: String?, environment: [String: String], commandLine: [ConfigurationSource.Setting]
    ) throws(ConfigurationError) {
        var problems: [String] = []
        var sources = [
            ConfigurationSource.commandLine(commandLine, problems: &problems),
            ConfigurationSource.environment(environment, problems: &problems),
        ]
        if let file { sources.append(try ConfigurationSource.file(file, problems: &problems)) }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        self.sources = sources
        reader = ConfigReader(providers: sources.map(\.provider))
    }

    // What a source has set is of its key's type: `ConfigurationSource` has checked it.

    package func text(_ key: ConfigurationKey) -> String? {
        if let text = reader.string(forKey: key.path, isSecret: key.isSecret) { return text }
        if case .string(let text) = key.defaultValue { return text }
        return nil
    }

    package func list(_ key: ConfigurationKey) -> [String] {
        reader.stringArray(forKey: key.path) ?? []
    }

    package func flag(_ key: ConfigurationKey) -> Bool {
        if let flag = reader.bool(forKey: key.path) { return flag }
        return key.defaultValue == .bool(true)
    }

    package func integer(_ key: ConfigurationKey) -> Int {
        if let number = reader.int(forKey: key.path) { return number }
        if case .int(let number) = key.defaultValue { return number }
        return 0
    }

    /// Which source has the say about a key; `nil` when it has its default.
    package func origin(of key: ConfigurationKey) -> String? {
        sources.first { $0.keys.contains(key.name) }?.name
    }

    /// What `check-config` prints: each setting as it is in effect, and where it comes from. Without secrets.
    package func listing() -> String {
        ConfigurationKey.all.map { key in
            let content: ConfigContent? =
                switch key.kind {
                case .text, .choice: text(key).map(ConfigContent.string)
                case .list: .stringArray(list(key))
                case .flag: .bool(flag(key))
                case .integer: .int(integer(key))
                }
            return "\(key.name) = \(key.shown(content))    (\(origin(of: key) ?? "default"))"
        }.joined(separator: "\n")
    }
}
