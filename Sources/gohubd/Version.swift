internal import GoHubStore
internal import GoHubWire

/// The version of this program.
enum GoHubVersion {
    static let current = "0.1.0"
    /// The supported WebSocket subprotocol.
    static let wireProtocol = ServerConfiguration.subprotocol

    /// The output of `gohubd version`: the program first, then its libraries.
    static var report: String {
        var lines = ["gohubd \(current)", "protocol \(wireProtocol)", "Swift \(swift)"]
        lines += SystemLibraries.versions.map { "\($0.name) \($0.version)" }
        lines.append("libpq \(PostgresClientLibrary.version)")
        return lines.joined(separator: "\n")
    }

    /// The compiler's version, as far as it can be determined.
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
