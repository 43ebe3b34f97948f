internal import GoHubCore
internal import GoHubSystem

/// One connection for one task, without a link that would keep it: for commands, and for checks before a start.
enum PostgresTask {
    /// Connects, runs a body on a thread of its own, and closes the connection.
    static func run<Value: Sendable>(
        _ url: String, _ options: PostgresOptions,
        _ body: @escaping @Sendable (PostgresConnection) throws(PostgresFailure) -> Value
    ) async throws(StoreError) -> Value {
        let string = try PostgresConnectionString(url)
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            do throws(StoreError) {
                try StoreThread.start(name: "gohub-pq-task") {
                    continuation.resume(returning: perform(string, options, body))
                }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }

    private static func perform<Value>(
        _ string: PostgresConnectionString, _ options: PostgresOptions,
        _ body: (PostgresConnection) throws(PostgresFailure) -> Value
    ) -> Result<Value, StoreError> {
        do throws(StoreError) {
            let wakeup = try wakeup()
            let connection = try PostgresConnection(
                string, patience: options.patience, deadline: .now() + options.connectTimeout
            ) { (descriptor, events, deadline) throws(StoreError) in
                // Nobody signals it, so it only waits for the connection.
                let now = MonotonicTime.now()
                guard now < deadline, wakeup.wait(deadline.since(now), or: descriptor, events: events) else {
                    throw StoreError(.timeout, "PostgreSQL: the server did not answer in time.")
                }
            }
            do throws(PostgresFailure) {
                return .success(try body(connection))
            } catch {
                return .failure(error.error)
            }
        } catch {
            return .failure(error)
        }
    }

    private static func wakeup() throws(StoreError) -> WakeupDescriptor {
        do throws(SystemError) {
            return try WakeupDescriptor()
        } catch {
            throw StoreError(
                .unavailable, "No file descriptors are left (\(error)). Raise the limit (ulimit -n).", underlying: error
            )
        }
    }
}
