package import Configuration

/// One source of settings: the command line, the environment or a file.
///
/// Its values are checked key by key on creation, so that an error names the source and not only the key, and a wrong
/// value is reported even where a stronger source overrides it.
package struct ConfigurationSource {
    /// The environment variable that names the file if the command line doesn't.
    package static let fileVariable = "GOHUB_CONFIG"

    /// The name in errors and `check-config`.
    package let name: String
    /// The names of the keys that it sets.
    package let keys: Set<String>
    package let provider: any ConfigProvider

    /// Settings from the environment: the variables with the prefix `GOHUB_`.
    ///
    /// `GOHUB_CONFIG` isn't a setting but the path of the file.
    package static func environment(_ environment: [String: String], problems: inout [String]) -> ConfigurationSource {
        let ours = environment.filter { $0.key.hasPrefix(ConfigurationKey.environmentPrefix) }
            .filter { $0.key != fileVariable }
        return text(
            ours.map { (String($0.key.dropFirst(ConfigurationKey.environmentPrefix.count)), $0.value) },
            name: "environment", problems: &problems
        ) {
            "environment variable \($0.environmentName)"
        } unknown: { variable in
            let known = ConfigurationKey.all.map(\.environmentName)
            return "Unknown environment variable \(ConfigurationKey.environmentPrefix)\(variable)"
                + Suggestion.sentence(for: ConfigurationKey.environmentPrefix + variable, among: known)
        }
    }

    /// Settings from flags, which are read like variables.
    package static func commandLine(_ settings: [Setting], problems: inout [String]) -> ConfigurationSource {
        var variables: [(String, String)] = []
        var seen: Set<String> = []
        for setting in settings {
            guard let key = ConfigurationKey.named(setting.key) else {
                let known = ConfigurationKey.all.map(\.name)
                problems.append(
                    "Command line: unknown key '\(setting.key)'" + Suggestion.sentence(for: setting.key, among: known))
                continue
            }
            guard !key.isSecret else {
                problems.append(
                    "Command line: \(key.name) is a secret, and every user of this machine can read command lines. "
                        + "Use \(key.name)File or the environment variable \(key.environmentName).")
                continue
            }
            guard key.isForOthersToRead(setting.value) else {
                problems.append(
                    "Command line: \(key.name) contains a password, and every user of this machine can read command "
                        + "lines. "
                        + "Use \(key.name)File or the environment variable \(key.environmentName).")
                continue
            }
            guard seen.insert(key.name).inserted else {
                problems.append("Command line: \(key.name) is set twice. Remove one.")
                continue
            }
            variables.append((key.variableName, setting.value))
        }
        return text(variables, name: "command line", problems: &problems) {
            "command line: \($0.name)"
        } unknown: {
            "Command line: unknown key '\($0)'."
        }
    }

    /// One `KEY=VALUE` of the command line.
    package struct Setting: Hashable, Sendable {
        /// The dotted path of a setting.
        package var key: String
        /// The value as text, as in the environment.
        package var value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// Settings from a file.
    package static func file(_ path: String, problems: inout [String]) throws(ConfigurationError) -> ConfigurationSource
    {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        var keys: [ConfigurationKey] = []
        for (name, content) in try ConfigurationFile.read(path).sorted(by: { $0.key < $1.key }) {
            guard let key = ConfigurationKey.named(name) else {
                let known = ConfigurationKey.all.map(\.name)
                problems.append("\(path): unknown key '\(name)'" + Suggestion.sentence(for: name, among: known))
                continue
            }
            keys.append(key)
            values[AbsoluteConfigKey(key.path)] = ConfigValue(content, isSecret: key.isSecret)
        }
        let provider = InMemoryProvider(name: path, values: values)
        return checked(keys, provider, name: path, problems: &problems) { "\(path): \($0.name)" }
    }

    // MARK: -

    private static func text(
        _ variables: [(String, String)], name: String, problems: inout [String],
        spelling: (ConfigurationKey) -> String, unknown: (String) -> String
    ) -> ConfigurationSource {
        let known = Dictionary(
            ConfigurationKey.all.map { ($0.variableName, $0) }, uniquingKeysWith: { first, _ in first })
        for (variable, _) in variables.sorted(by: { $0.0 < $1.0 }) where known[variable] == nil {
            problems.append(unknown(variable))
        }
        let keys = variables.compactMap { known[$0.0] }.sorted { $0.name < $1.name }
        let secrets = Set(keys.filter(\.isSecret).map(\.variableName))
        let provider = EnvironmentVariablesProvider(
            environmentVariables: Dictionary(variables, uniquingKeysWith: { first, _ in first }),
            secretsSpecifier: .specific(secrets))
        return checked(keys, provider, name: name, problems: &problems, spelling: spelling)
    }

    private static func checked(
        _ keys: [ConfigurationKey], _ provider: some ConfigProvider, name: String, problems: inout [String],
        spelling: (ConfigurationKey) -> String
    ) -> ConfigurationSource {
        for key in keys {
            let content = try? provider.value(forKey: AbsoluteConfigKey(key.path), type: key.type).value?.content
            guard let content, key.isAllowed(content) else {
                let place = spelling(key)
                problems.append("\(place.prefix(1).uppercased())\(place.dropFirst()) must be \(key.allowed).")
                continue
            }
        }
        return ConfigurationSource(name: name, keys: Set(keys.map(\.name)), provider: provider)
    }
}

/// Suggestions for unknown names.
package enum Suggestion {
    /// The end of a sentence about an unknown name.
    package static func sentence(for name: String, among known: [String]) -> String {
        let nearest = known.map { ($0, distance(name.lowercased(), $0.lowercased())) }.min { $0.1 < $1.1 }
        if let nearest, nearest.1 <= max(2, name.count / 4) { return "; did you mean '\(nearest.0)'?" }
        let section = name.split(separator: ".").first.map { $0 + "." } ?? ""
        let siblings = known.filter { $0.hasPrefix(section) && !section.isEmpty }
        guard siblings.isEmpty else { return "; there are \(siblings.joined(separator: ", "))." }
        return "; `gohubd check-config --list-keys` lists the known ones."
    }

    /// The Levenshtein distance of the first 100 characters.
    private static func distance(_ one: String, _ other: String) -> Int {
        let one = Array(one.prefix(100))
        let other = Array(other.prefix(100))
        var previous = Array(0...other.count)
        for (row, left) in one.enumerated() {
            var current = [row + 1]
            for (column, right) in other.enumerated() {
                current.append(
                    min(previous[column + 1] + 1, current[column] + 1, previous[column] + (left == right ? 0 : 1)))
            }
            previous = current
        }
        return previous[other.count]
    }
}
