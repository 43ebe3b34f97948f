internal import GoHubCore

/// The reason for a failure.
struct PostgresFailure: Error {
    let error: StoreError
    /// Whether the connection is unusable.
    let endsConnection: Bool
}
