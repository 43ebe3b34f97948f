internal import GoHubCore
internal import Logging

/// Logs one JSON object per line: `time` (milliseconds since 1970 UTC), `level`, `logger`, `message`, and the metadata
/// under `metadata`. A peer's input in a value can't leave its string.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    private let now: @Sendable () -> WallTime
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - now: the time of the lines.
    ///   - write: receives a line with its end.
    init(
        label: String, now: @escaping @Sendable () -> WallTime = WallTime.now,
        write: @escaping @Sendable (String) -> Void = Console.printError
    ) {
        self.label = label
        self.now = now
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        var line = "{\"time\":\(now().milliseconds),\"level\":\"\(event.level)\",\"logger\":"
        line += JSONText.quoted(label)
        line += ",\"message\":" + JSONText.quoted("\(event.message)")
        if !all.isEmpty { line += ",\"metadata\":" + Self.text(.dictionary(all)) }
        write(line + "}\n")
    }

    private static func text(_ value: Logger.Metadata.Value) -> String {
        switch value {
        case .string(let text): JSONText.quoted(text)
        case .stringConvertible(let value): JSONText.quoted("\(value)")
        case .array(let values): "[" + values.map(text).joined(separator: ",") + "]"
        case .dictionary(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\(text($0.value))" }
                .joined(separator: ",") + "}"
        }
    }
}

/// A text as a JSON string (RFC 8259, section 7).
///
/// A writer of its own, because a log is also read in a terminal, which must not get control characters: U+007F is
/// escaped, too, and every control character but a line feed by its number. `JSONWriter` writes for clients: JSON
/// needs no escape for U+007F, and has shorter ones for tabs and others.
enum JSONText {
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
