internal import GoHubStore
internal import GoHubWire

/// What this program is.
enum GoHubVersion {
    static let current = "0.1.0"
    /// The WebSocket subprotocol that it speaks.
    static let wireProtocol = ServerConfiguration.subprotocol

    /// What `gohubd version` prints: the program first, then what it runs with.
    static var report: String {
        var lines = ["gohubd \(current)", "protocol \(wireProtocol)", "Swift \(swift)"]
        lines += SystemLibraries.versions.map { "\($0.name) \($0.version)" }
        lines.append("libpq \(PostgresClientLibrary.version)")
        return lines.joined(separator: "\n")
    }

    /// The compiler's version, as far as it can be asked for.
    private static var swift: String {
        #if compiler(>=6.5)
            "6.5 or later"
        #elseif compiler(>=6.4)
            "6.4"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }
}
