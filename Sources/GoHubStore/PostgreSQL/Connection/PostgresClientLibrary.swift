internal import CGoHubPQ

/// The libpq that this process runs with.
public enum PostgresClientLibrary {
    /// Its version, such as `15.14`: the library that is loaded, not the headers that were compiled against.
    public static var version: String {
        // Since PostgreSQL 10 the number is major × 10000 + minor.
        let number = PQlibVersion()
        return "\(number / 10_000).\(number % 10_000)"
    }
}
