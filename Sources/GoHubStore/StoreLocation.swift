/// The location of the message store, as in the configuration's `store`.
///
/// `memory`, `sqlite:PATH` or `postgres:URL` (also `postgres://…` and `postgresql://…`).
public enum StoreLocation: Hashable, Sendable {
    /// In the process's memory; lost with it.
    case memory
    /// A file of an embedded SQLite database.
    case sqlite(path: String)
    /// A PostgreSQL database by its connection URL, which may contain a password.
    case postgres(url: String)

    /// - Throws: `StoreLocationError` for an invalid text. It doesn't repeat the text, which may contain a password.
    public init(_ text: String) throws(StoreLocationError) {
        if text == "memory" {
            self = .memory
        } else if let path = text.without(prefix: "sqlite:"), !path.isEmpty {
            self = .sqlite(path: path)
        } else if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
            self = .postgres(url: text)
        } else if let url = text.without(prefix: "postgres:"), !url.isEmpty {
            self = .postgres(url: url)
        } else {
            throw StoreLocationError("a store is 'memory', 'sqlite:PATH' or 'postgres:URL'")
        }
    }

    /// Whether it contains a password, which must then be kept from other users. True for a connection string that
    /// can't be parsed.
    public var holdsPassword: Bool {
        guard case .postgres(let url) = self else { return false }
        return PostgresConnectionString.holdsSecret(url)
    }
}

extension StoreLocation: CustomStringConvertible {
    /// For logs. Nothing of a URL is disclosed, because the limits of its password can be misread.
    public var description: String {
        switch self {
        case .memory: "memory"
        case .sqlite(let path): "sqlite:\(path)"
        case .postgres: "postgres:<redacted>"
        }
    }
}

extension StoreLocation: CustomDebugStringConvertible {
    public var debugDescription: String { description }
}

/// The reason why a location is invalid: a phrase without capital and full stop, never with a part of a URL.
public struct StoreLocationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A phrase without capital and full stop.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension String {
    fileprivate func without(prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
