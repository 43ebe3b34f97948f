import Testing

/// Runs the body of an exit test and records its errors. An error that leaves the body would trap in the child process,
/// so that a time-out would look like a crash of the tested code.
public func recordingErrors(_ body: () async throws -> Void) async {
    do {
        try await body()
    } catch {
        Issue.record(error)
    }
}
