internal import GoHubCore

/// Why something couldn't be done.
struct PostgresFailure: Error {
    let error: StoreError
    /// Whether the connection is of no more use.
    let endsConnection: Bool
}
