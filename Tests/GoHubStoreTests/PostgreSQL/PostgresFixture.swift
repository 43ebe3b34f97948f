import GoHubCore
import GoHubStore
import GoHubTestSupport
import Synchronization
import Testing

/// A schema of the shared server that no other test uses.
struct PostgresFixture {
    let server: PostgresServer
    let schema: String

    init() async throws {
        try await self.init(PostgresServer.shared())
    }

    init(_ server: PostgresServer) async throws {
        self.server = server
        schema = try await onThread { try server.makeSchema() }
    }

    var url: String { server.url(schema: schema) }

    func url(through proxy: FaultyProxy) -> String { server.url(schema: schema, port: proxy.port) }
}

/// The stores' reports.
final class Reports: Sendable {
    private let texts = Mutex<[String]>([])

    func add(_ event: PostgresMessageStore.Event) {
        texts.withLock { $0.append("\(event)") }
    }

    var all: [String] { texts.withLock { $0 } }

    func options(_ change: (inout PostgresMessageStore.Options) -> Void = { _ in }) -> PostgresMessageStore.Options {
        var options = PostgresMessageStore.Options.patient
        options.reconnectAfter = 10...100
        options.report = { [self] in add($0) }
        change(&options)
        return options
    }
}

/// Waits for a condition. The test fails after a minute.
func waitUntil(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) async throws {
    for _ in 0..<6_000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("never came: \(what)", sourceLocation: sourceLocation)
}

extension PostgresMessageStore.Options {
    /// All checks create their tables at the same time, on a machine that may be busy.
    static var patient: Self {
        var options = Self()
        options.deadline = .seconds(120)
        options.connectTimeout = .seconds(60)
        return options
    }
}
