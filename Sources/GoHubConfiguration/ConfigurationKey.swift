package import Configuration

/// One setting: its name, its allowed values, its default, and its meaning.
///
/// The table of all keys (`ConfigurationKey.all`) drives everything: reading, the check for unknown keys and wrong
/// values, the output of `check-config`, and the table in `Docs/Configuration.md`.
package struct ConfigurationKey: Sendable {
    /// The type of a setting's values.
    package enum Kind: Sendable, Equatable {
        /// Any text that the key accepts.
        case text
        /// Texts; in the environment and on the command line separated by commas.
        case list
        /// `true` or `false`; in the environment and on the command line also `yes`, `no`, `1` or `0`.
        case flag
        /// A whole number in the range.
        case integer(ClosedRange<Int>)
        /// One of the texts.
        case choice([String])
    }

    /// The dotted path, as in `tls.certificate`.
    package let name: String
    package let kind: Kind
    /// `nil` for a setting that is off until it is set.
    package let defaultValue: ConfigContent?
    /// The allowed values, for errors and the table: completes "it must be …".
    package let allowed: String
    /// One or more sentences for the table and `--list-keys`.
    package let meaning: String
    /// The environment variable without its prefix.
    package let variableName: String
    /// A value that is never printed, nor taken from the command line.
    package let isSecret: Bool
    /// Whether a value may be given on a command line, for a key that isn't a secret itself.
    package let isForOthersToRead: @Sendable (String) -> Bool
    /// A further condition on values of the right type.
    private let accepts: @Sendable (ConfigContent) -> Bool
    /// The displayed form of a value, if it differs from the value.
    private let redaction: (@Sendable (String) -> String)?

    private init(
        _ name: String, _ kind: Kind, default defaultValue: ConfigContent?, allowed: String, meaning: String,
        isSecret: Bool = false, redaction: (@Sendable (String) -> String)? = nil,
        isForOthersToRead: @escaping @Sendable (String) -> Bool = { _ in true },
        accepts: @escaping @Sendable (ConfigContent) -> Bool
    ) {
        self.name = name
        self.kind = kind
        self.defaultValue = defaultValue
        self.allowed = allowed
        self.meaning = meaning
        variableName = Self.variableName(of: name)
        self.isSecret = isSecret
        self.redaction = redaction
        self.isForOthersToRead = isForOthersToRead
        self.accepts = accepts
    }
}

// MARK: - Factories

extension ConfigurationKey {
    /// - Parameters:
    ///   - value: the default; `nil` for a setting that is off until it is set.
    ///   - allowed: completes "it must be …".
    ///   - redaction: the displayed form of a value; `nil` displays the value.
    ///   - isForOthersToRead: whether a value may be given on a command line.
    ///   - accepts: whether a value is allowed; by default every text but the empty one.
    package static func text(
        _ name: String, default value: String? = nil, allowed: String,
        redaction: (@Sendable (String) -> String)? = nil,
        isForOthersToRead: @escaping @Sendable (String) -> Bool = { _ in true }, _ meaning: String,
        accepts: @escaping @Sendable (String) -> Bool = { !$0.isEmpty }
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, .text, default: value.map(ConfigContent.string), allowed: allowed, meaning: meaning,
            redaction: redaction, isForOthersToRead: isForOthersToRead
        ) { content in
            guard case .string(let text) = content else { return false }
            return accepts(text)
        }
    }

    /// The path of a file, not checked here. Off until it is set.
    package static func path(_ name: String, _ meaning: String) -> ConfigurationKey {
        text(name, allowed: "the path of a file", meaning)
    }

    /// - Parameter bytesMin: the minimum length of the value.
    package static func secret(_ name: String, bytesMin: Int, _ meaning: String) -> ConfigurationKey {
        ConfigurationKey(
            name, .text, default: nil, allowed: "a string of at least \(bytesMin) bytes", meaning: meaning,
            isSecret: true
        ) { content in
            guard case .string(let text) = content else { return false }
            return text.utf8.count >= bytesMin
        }
    }

    /// A list, empty by default, each of whose texts must be accepted.
    package static func list(
        _ name: String, allowed: String, _ meaning: String,
        accepts: @escaping @Sendable (String) -> Bool = { !$0.isEmpty }
    ) -> ConfigurationKey {
        ConfigurationKey(name, .list, default: .stringArray([]), allowed: allowed, meaning: meaning) { content in
            guard case .stringArray(let items) = content else { return false }
            return items.allSatisfy(accepts)
        }
    }

    package static func flag(_ name: String, default value: Bool, _ meaning: String) -> ConfigurationKey {
        ConfigurationKey(name, .flag, default: .bool(value), allowed: "true or false", meaning: meaning) { _ in true }
    }

    /// A whole number. The default is not checked against the range.
    package static func integer(
        _ name: String, default value: Int, _ range: ClosedRange<Int>, _ meaning: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, .integer(range), default: .int(value),
            allowed: "a whole number from \(range.lowerBound) to \(range.upperBound)", meaning: meaning
        ) { content in
            guard case .int(let number) = content else { return false }
            return range.contains(number)
        }
    }

    /// One of several texts, compared exactly.
    package static func choice(
        _ name: String, default value: String, _ choices: [String], _ meaning: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, .choice(choices), default: .string(value),
            allowed: choices.dropLast().joined(separator: ", ") + " or " + (choices.last ?? ""), meaning: meaning
        ) { content in
            guard case .string(let text) = content else { return false }
            return choices.contains(text)
        }
    }
}

// MARK: - Names and values

extension ConfigurationKey {
    /// The key in swift-configuration's form.
    package var path: ConfigKey { ConfigKey(name) }

    /// The environment variable: `GOHUB_`, then the path in capitals, with `_` for each dot and before each word.
    package var environmentName: String { Self.environmentPrefix + variableName }

    package static let environmentPrefix = "GOHUB_"

    /// swift-configuration's own translation, which isn't public: a word begins where a capital follows a lower-case
    /// letter.
    private static func variableName(of name: String) -> String {
        var variable = ""
        var wasLowercase = false
        for character in name {
            if wasLowercase && character.isUppercase { variable += "_" }
            variable += character == "." ? "_" : character.uppercased()
            wasLowercase = character.isLowercase
        }
        return variable
    }

    /// The type in swift-configuration's form.
    package var type: ConfigType {
        switch kind {
        case .text, .choice: .string
        case .list: .stringArray
        case .flag: .bool
        case .integer: .int
        }
    }

    /// Whether the value has the key's type and is accepted.
    package func isAllowed(_ content: ConfigContent) -> Bool {
        accepts(content)
    }

    /// A value as `check-config` prints it.
    package func shown(_ content: ConfigContent?) -> String {
        guard let content else { return "(not set)" }
        if isSecret { return "<redacted>" }
        return switch content {
        case .string(let text): redaction?(text) ?? text
        case .stringArray(let items): items.isEmpty ? "(none)" : items.joined(separator: ", ")
        case .bool(let flag): "\(flag)"
        case .int(let number): "\(number)"
        // No key is of another type.
        default: "<redacted>"
        }
    }
}
