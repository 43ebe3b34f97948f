public import GoHubCore
internal import GoHubSystem

/// What is known of files, in the PostgreSQL database that has the messages.
///
/// A connection and a thread of its own: messages wait for files only where they hold or let go of some. While the server is away, what waits is
/// refused in time, as `PostgresMessageStore` does it. A transaction whose answer was lost may have been carried out or not;
/// all of the catalog's rules may be repeated.
public final class PostgresFileCatalog: FileCatalog {
    private let link: PostgresLink<PostgresFileWork>
    private let ended = Latch(count: 1)

    /// The most transactions that wait; more are refused at once.
    private static let waitingMax = 10_000

    /// Begins to connect, and doesn't wait for it.
    ///
    /// - Parameter url: the message store's.
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
        completion(.failure(.unavailable(refusal.error.message)))
    }

    public var isReady: Bool { link.isReady }

    /// Takes nothing new, answers all that waits, and returns when the connection is closed.
    public func close() async {
        link.queue.close()
        await ended.wait()
    }
}

/// Runs transactions of the catalog's, one after the other.
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
        // The message store's writer warns.
        try PostgresSession.prepare(connection, options) { _ in }
        _ = try connection.run(PostgresFileTables.statements, deadline: .now() + options.patience)
    }

    var chores: MonotonicTime { MonotonicTime(nanoseconds: .max) }

    func doChore(_ connection: PostgresConnection, after weight: Int) {}

    func refuse(_ request: Request, _ error: StoreError) { request.refuse(.unavailable(error.message)) }

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
