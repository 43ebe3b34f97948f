/// Where messages are kept, as the configuration's `store` names it.
///
/// `memory`, `sqlite:PATH` or `postgres:URL` (also `postgres://…` and `postgresql://…`).
public enum StoreLocation: Hashable, Sendable {
    /// In the process' memory; gone with it.
    case memory
    /// A file of an embedded SQLite database.
    case sqlite(path: String)
    /// A PostgreSQL database by its connection URL, which may hold a password.
    case postgres(url: String)

    /// - Throws: `StoreLocationError` for a text that names no store. It doesn't repeat the text, which may hold a
    ///   password.
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

    /// Whether it holds a password, which then must not stand where others can read it. What can't be read as a
    /// connection string may hold one.
    public var holdsPassword: Bool {
        guard case .postgres(let url) = self else { return false }
        return PostgresConnectionString.holdsSecret(url)
    }
}

extension StoreLocation: CustomStringConvertible {
    /// For logs. Of a URL nothing is told: where its password begins and ends can be misread.
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

/// Why a store can't be used: a sentence without capital and full stop, never with a part of a URL.
public struct StoreLocationError: Error, Hashable, Sendable, CustomStringConvertible {
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
