internal import CGoHubPQ
internal import Glibc
internal import GoHubCore

/// One connection to a server, in pipeline mode. Belongs to one thread, which waits only for its deadlines: `pause`
/// performs libpq's waits and also refuses requests that wait too long for this thread.
///
/// One operation of libpq blocks: the look-up of a host's address. A URL with an address, or with `hostaddr`, avoids
/// it.
final class PostgresConnection {
    /// Waits until the descriptor is ready, or some time has passed; throws when further waiting is pointless.
    typealias Pause = (_ descriptor: Int32, _ events: Int32, _ deadline: MonotonicTime) throws(StoreError) -> Void

    /// A command to the server.
    enum Command {
        case sql(String)
        case prepare(name: String, sql: String, [PostgresType])
        case run(name: String, [PostgresParameter])
    }

    private let connection: OpaquePointer
    private let string: PostgresConnectionString
    private let pause: Pause

    /// Connects.
    ///
    /// - Parameters:
    ///   - patience: how long a host may leave sent data unacknowledged. If the URL has several hosts, the next one is
    ///     tried after that, so it should be a part of the time up to the deadline.
    /// - Throws: `StoreError` without any password.
    init(
        _ string: PostgresConnectionString, patience: Milliseconds, deadline: MonotonicTime, pause: @escaping Pause
    ) throws(StoreError) {
        // Later options win: those before the URL are our defaults, those after it are mandatory.
        let options = [
            ("fallback_application_name", "gohub"), ("keepalives_idle", "10"), ("keepalives_interval", "5"),
            ("keepalives_count", "3"), ("tcp_user_timeout", "\(patience.value)"), ("dbname", string.text),
            ("client_encoding", "UTF8"),
        ]
        let connection = Self.withStrings(options.map(\.0)) { keywords in
            Self.withStrings(options.map(\.1)) { values in PQconnectStartParams(keywords, values, 1) }
        }
        guard let connection else { throw StoreError(.unavailable, "PostgreSQL: no memory is left for a connection.") }
        self.connection = connection
        self.string = string
        self.pause = pause
        // Otherwise notices go to standard error.
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        guard PQstatus(connection) != CONNECTION_BAD else { throw connectionError() }
        try finishConnecting(deadline)
        guard PQserverVersion(connection) >= 140_000 else {
            throw StoreError(.incompatible, "PostgreSQL: the server is older than version 14. Upgrade it.")
        }
        guard let encoding = PQparameterStatus(connection, "server_encoding"), String(cString: encoding) == "UTF8"
        else {
            throw StoreError(
                .incompatible,
                "PostgreSQL: the database's encoding is not UTF8. Create a database with ENCODING 'UTF8'.")
        }
        guard PQsetnonblocking(connection, 1) == 0, PQenterPipelineMode(connection) == 1 else {
            throw connectionError()
        }
    }

    deinit {
        PQfinish(connection)
    }

    private func finishConnecting(_ deadline: MonotonicTime) throws(StoreError) {
        // The first event that libpq waits for (documentation of PQconnectPoll).
        var events = POLLOUT
        while true {
            try pause(PQsocket(connection), events, deadline)
            switch PQconnectPoll(connection) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: events = POLLIN
            case PGRES_POLLING_WRITING: events = POLLOUT
            default: throw connectionError()
            }
        }
    }

    /// For waiting until the server sends something unrequested, such as the end of the connection.
    var socket: Int32 { PQsocket(connection) }

    /// Reads unrequested input.
    func consume() throws(StoreError) {
        guard PQconsumeInput(connection) == 1, PQstatus(connection) != CONNECTION_BAD else { throw connectionError() }
    }

    // MARK: Commands

    /// Sends commands at once, and waits for all of their results.
    ///
    /// - Returns: one result each.
    /// - Throws: `PostgresFailure`. After an error of the server, the following commands were not executed.
    func run(_ commands: [Command], deadline: MonotonicTime) throws(PostgresFailure) -> [PostgresResult] {
        for command in commands where !send(command) { throw broken(connectionError()) }
        guard PQpipelineSync(connection) == 1 else { throw broken(connectionError()) }
        var results: [PostgresResult] = []
        var failure: PostgresFailure?
        for _ in commands {
            guard let result = try next(deadline) else { throw broken(outOfStep) }
            switch result.status {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK: results.append(result)
            // Follows the failed one.
            case PGRES_PIPELINE_ABORTED: break
            default: failure = failure ?? self.failure(result)
            }
            // A command's results end with none.
            while try next(deadline) != nil {}
        }
        guard let sync = try next(deadline), sync.status == PGRES_PIPELINE_SYNC else { throw broken(outOfStep) }
        if let failure { throw failure }
        guard results.count == commands.count else { throw broken(outOfStep) }
        return results
    }

    /// Runs commands as one transaction.
    func transaction(_ commands: [Command], deadline: MonotonicTime) throws(PostgresFailure) -> [PostgresResult] {
        do throws(PostgresFailure) {
            let results = try run([.sql("BEGIN")] + commands + [.sql("COMMIT")], deadline: deadline)
            return Array(results.dropFirst().dropLast())
        } catch {
            if !error.endsConnection { _ = try run([.sql("ROLLBACK")], deadline: deadline) }
            throw error
        }
    }

    private func send(_ command: Command) -> Bool {
        switch command {
        case .sql(let sql):
            return PQsendQueryParams(connection, sql, 0, nil, nil, nil, nil, 1) == 1
        case .prepare(let name, let sql, let types):
            return PQsendPrepare(connection, name, sql, Int32(types.count), types.map(\.rawValue)) == 1
        case .run(let name, let parameters):
            let lengths = parameters.map { Int32(clamping: $0.bytes.count) }
            let formats = [Int32](repeating: 1, count: parameters.count)
            // All values consecutively, with their offsets. libpq copies them before it returns. The zero at the end
            // gives an empty value an address, too, without which it would be NULL.
            var bytes: [UInt8] = []
            bytes.reserveCapacity(parameters.reduce(1) { $0 + $1.bytes.count })
            for parameter in parameters { bytes += parameter.bytes }
            bytes.append(0)
            return bytes.withUnsafeBytes { buffer in
                var start = 0
                let values = parameters.map { parameter -> UnsafePointer<CChar>? in
                    defer { start += parameter.bytes.count }
                    return buffer.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) }
                }
                return PQsendQueryPrepared(
                    connection, name, Int32(parameters.count), values, lengths, formats, 1) == 1
            }
        }
    }

    /// The next result; `nil` between the results of two commands.
    private func next(_ deadline: MonotonicTime) throws(PostgresFailure) -> PostgresResult? {
        while PQisBusy(connection) == 1 {
            // The server may stop reading while nobody reads its output, so both are done.
            let unsent = PQflush(connection)
            guard unsent >= 0 else { throw broken(connectionError()) }
            do throws(StoreError) {
                try pause(PQsocket(connection), unsent == 1 ? POLLIN | POLLOUT : POLLIN, deadline)
            } catch {
                throw broken(error)
            }
            guard PQconsumeInput(connection) == 1 else { throw broken(connectionError()) }
        }
        return PQgetResult(connection).map(PostgresResult.init)
    }

    // MARK: Errors

    private var outOfStep: StoreError {
        StoreError(.unavailable, "PostgreSQL: the server sent an unexpected response.")
    }

    private func broken(_ error: StoreError) -> PostgresFailure {
        PostgresFailure(error: error, endsConnection: true)
    }

    private func failure(_ result: PostgresResult) -> PostgresFailure {
        let (code, message) = (result.code, string.redact(result.message))
        // Without a code it is libpq's own error about the connection. Class 08 and 57P: the server ends it. 25006: the
        // server is read-only, so it is no longer the primary, and another one may be found.
        let ends = code.isEmpty || code.hasPrefix("08") || code.hasPrefix("57P") || code == "25006"
        if code.isEmpty { return broken(connectionError()) }
        // A failure that doesn't end the connection is rolled back.
        let error = StoreError(.init(sqlState: code), "PostgreSQL: \(message) (\(code)).", mayBeStored: ends)
        return PostgresFailure(error: error, endsConnection: ends)
    }

    private func connectionError() -> StoreError {
        let message = string.redact(String(cString: PQerrorMessage(connection)))
        return StoreError(.unavailable, "PostgreSQL: \(message.isEmpty ? "the connection was lost." : message)")
    }

    /// Lends C strings; the list ends with a null pointer.
    private static func withStrings<Result>(
        _ strings: [String], _ body: ([UnsafePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies.map { $0.map { UnsafePointer($0) } } + [nil])
    }
}
