internal import Configuration

/// The settings from all sources: the command line overrides the environment, which overrides the file, which overrides
/// the defaults.
package struct ConfigurationValues {
    private let reader: ConfigReader
    private let sources: [ConfigurationSource]

    /// - Parameters:
    ///   - file: the path of a file, if there is one.
    ///   - environment: all variables; those without the prefix `GOHUB_` are ignored.
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

    // Values from a source have their key's type: `ConfigurationSource` has checked it.

    /// The value, else the default; `nil` for a setting that is off until it is set.
    package func text(_ key: ConfigurationKey) -> String? {
        if let text = reader.string(forKey: key.path, isSecret: key.isSecret) { return text }
        if case .string(let text) = key.defaultValue { return text }
        return nil
    }

    /// The value, else the empty list.
    package func list(_ key: ConfigurationKey) -> [String] {
        reader.stringArray(forKey: key.path) ?? []
    }

    /// The value, else the default.
    package func flag(_ key: ConfigurationKey) -> Bool {
        if let flag = reader.bool(forKey: key.path) { return flag }
        return key.defaultValue == .bool(true)
    }

    /// The value, else the default. Within the key's range.
    package func integer(_ key: ConfigurationKey) -> Int {
        if let number = reader.int(forKey: key.path) { return number }
        if case .int(let number) = key.defaultValue { return number }
        return 0
    }

    /// The source that decides a key's value; `nil` for the default.
    package func origin(of key: ConfigurationKey) -> String? {
        sources.first { $0.keys.contains(key.name) }?.name
    }

    /// The output of `check-config`: each effective setting and its source, without secrets.
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
