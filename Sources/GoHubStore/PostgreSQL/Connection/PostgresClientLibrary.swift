internal import CGoHubPQ

/// The libpq that this process runs with.
public enum PostgresClientLibrary {
    /// The version, such as `15.14`, of the loaded library, not of the headers at compile time.
    public static var version: String {
        // Since PostgreSQL 10 the number is major × 10000 + minor.
        let number = PQlibVersion()
        return "\(number / 10_000).\(number % 10_000)"
    }
}
