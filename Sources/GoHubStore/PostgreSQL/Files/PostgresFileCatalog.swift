public import GoHubCore
internal import GoHubSystem

/// The records of files, in the PostgreSQL database of the messages.
///
/// It has its own connection and thread: messages wait for files only when they add or release some. While the server
/// is unreachable, waiting requests are refused in time, as in `PostgresMessageStore`. A transaction whose answer was
/// lost may or may not have been committed; all operations of the catalog may be repeated.
public final class PostgresFileCatalog: FileCatalog {
    private let link: PostgresLink<PostgresFileWork>
    private let ended = Latch(count: 1)

    /// The maximum number of waiting transactions; further ones are refused immediately.
    private static let waitingMax = 10_000

    /// Begins to connect without waiting for it.
    ///
    /// - Parameters:
    ///   - url: the message store's URL.
    ///   - options: time limits and events; `server` should be that of the message store's options.
    /// - Throws: `StoreError` for an invalid URL, and when the system has no threads.
    public init(
        url: String, options: PostgresOptions = PostgresOptions()
    ) throws(StoreError) {
        link = try PostgresLink(.files, try PostgresConnectionString(url), options, weightMax: Self.waitingMax)
        try StoreThread.start(name: "gohub-pq-f") { [link, ended] in
            link.run(PostgresFileWork(options))
            ended.countDown()
        }
    }

    deinit {
        link.queue.close()
    }

    public func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        perform(completion) { tables throws(PostgresFailure) in try tables.transaction(body, completion) }
    }

    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        perform(completion) { tables throws(PostgresFailure) in try tables.look(body, completion) }
    }

    private func perform<Value>(
        _ completion: @escaping FileCompletion<Value>,
        _ run: @escaping @Sendable (PostgresFileTables) throws(PostgresFailure) -> Void
    ) {
        let request = PostgresFileWork.Request(run: run, refuse: { completion(.failure($0)) })
        guard let refusal = link.queue.put(request, deadline: link.deadline) else { return }
        completion(.failure(.unavailable(refusal.error)))
    }

    /// Whether it is connected. False while the server is unreachable.
    public var isReady: Bool { link.isReady }

    /// Refuses new requests, answers all waiting ones, and returns when the connection is closed.
    public func close() async {
        link.queue.close()
        await ended.wait()
    }
}

/// Runs the catalog's transactions one after the other.
final class PostgresFileWork: PostgresWork {
    struct Request: Sendable {
        let run: @Sendable (PostgresFileTables) throws(PostgresFailure) -> Void
        let refuse: @Sendable (FileError) -> Void
    }

    static let weightMax = 64

    private let options: PostgresOptions

    init(_ options: PostgresOptions) {
        self.options = options
    }

    func prepare(_ connection: PostgresConnection) throws(PostgresFailure) {
        try PostgresSession.prepare(connection, options, for: .files)
        _ = try connection.run(PostgresFileTables.statements, deadline: .now() + options.patience)
    }

    var chores: MonotonicTime { MonotonicTime(nanoseconds: .max) }

    func doChore(_ connection: PostgresConnection, after weight: Int) {}

    func refuse(_ request: Request, _ error: StoreError) { request.refuse(.unavailable(error)) }

    func serve(
        _ requests: [Request], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        var failure: PostgresFailure?
        for request in requests {
            if let failure, failure.endsConnection {
                refuse(request, failure.error)
                continue
            }
            do throws(PostgresFailure) {
                try request.run(PostgresFileTables(connection, deadline: .now() + options.patience))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
