internal import CGoHubPQ
internal import GoHubCore

/// What libpq reads from a connection URL or a `key=value` string, so that secrets can be kept out of texts.
struct PostgresConnectionString: Sendable {
    let text: String
    /// The values that must never be told.
    private let secrets: [String]

    /// - Throws: `StoreError` for a text that libpq doesn't understand. Without libpq's reason, which repeats a part of
    ///   the text, and that part may be the password.
    init(_ text: String) throws(StoreError) {
        guard let options = Self.parse(text) else {
            throw StoreError(
                "the PostgreSQL URL is not one that libpq understands: it is like "
                    + "postgres://user:password@host:5432/database?sslmode=verify-full, with other characters than "
                    + "letters and digits in user and password percent-encoded")
        }
        self.text = text
        secrets = ["password", "sslpassword"].compactMap { options[$0] }.filter { !$0.isEmpty }
    }

    /// Whether a text holds a secret; one that can't be read may.
    static func holdsSecret(_ text: String) -> Bool {
        guard let string = try? PostgresConnectionString(text) else { return true }
        return !string.secrets.isEmpty
    }

    /// A text of libpq's or the server's without the secrets, on one line.
    func redact(_ message: String) -> String {
        var message = message
        for secret in secrets {
            message = message.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "<redacted>")
        }
        return message.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// The options that a text sets.
    private static func parse(_ text: String) -> [String: String]? {
        var reason: UnsafeMutablePointer<CChar>?
        let parsed = PQconninfoParse(text, &reason)
        if let reason { PQfreemem(reason) }
        guard let parsed else { return nil }
        defer { PQconninfoFree(parsed) }
        var options: [String: String] = [:]
        var option = parsed
        // The list ends with an option without a name.
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { options[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return options
    }
}
