import Testing

/// Runs the body of an exit test, whose child process would otherwise end by a trap of the runtime's when an error
/// leaves it: nobody could tell a time-out from a crash of what is tested.
public func recordingErrors(_ body: () async throws -> Void) async {
    do {
        try await body()
    } catch {
        Issue.record(error)
    }
}
