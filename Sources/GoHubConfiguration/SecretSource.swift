internal import GoHubSystem

/// A secret of the configuration: the text itself, or a file that contains it. Never prints it.
package enum SecretSource: Sendable {
    /// The bytes themselves.
    case text([UInt8], key: ConfigurationKey)
    /// The path of a file with the bytes.
    case file(String, key: ConfigurationKey)

    /// - Returns: `nil` when neither key is set.
    /// - Throws: `ConfigurationError` when both are.
    package init?(
        _ values: ConfigurationValues, secret: ConfigurationKey, file: ConfigurationKey
    ) throws(ConfigurationError) {
        switch (values.text(secret), values.text(file)) {
        case (nil, nil): return nil
        case (let text?, nil): self = .text(Array(text.utf8), key: secret)
        case (nil, let path?): self = .file(path, key: file)
        case (_?, _?):
            throw ConfigurationError("\(secret.name) and \(file.name) are both set. Remove one.")
        }
    }

    /// The secret, read from its file each time.
    ///
    /// - Throws: `ConfigurationError`, without the secret, when it is shorter than `bytesMin` or its file can't be
    ///   read.
    package func read(bytesMin: Int) throws(ConfigurationError) -> [UInt8] {
        switch self {
        case .text(let bytes, let key):
            guard bytes.count >= bytesMin else {
                throw ConfigurationError("\(key.name) must be a string of at least \(bytesMin) bytes.")
            }
            return bytes
        case .file(let path, let key):
            do throws(BoundedFile.Failure) {
                return try BoundedFile.readSecret(path, bytesMin: bytesMin)
            } catch {
                throw ConfigurationError("\(key.name): \(error).", underlying: error)
            }
        }
    }
}

// No description of a secret contains it.
extension SecretSource: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        switch self {
        case .text(_, let key): "\(key.name) (<redacted>)"
        case .file(let path, let key): "\(key.name) (\(path))"
        }
    }

    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
