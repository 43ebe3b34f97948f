public import Logging
internal import Synchronization

/// Collects log lines.
public final class Lines: Sendable {
    private let lines = Mutex([String]())

    public init() {}

    public var all: [String] { lines.withLock { $0 } }

    public var logger: Logger { Logger(label: "test") { [self] _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}
