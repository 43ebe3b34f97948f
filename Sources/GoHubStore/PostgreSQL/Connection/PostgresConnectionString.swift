internal import CGoHubPQ
internal import GoHubCore

/// The options that libpq reads from a connection URL or a `key=value` string; used to keep secrets out of texts.
struct PostgresConnectionString: Sendable {
    let text: String
    /// Values that must never be disclosed.
    private let secrets: [String]

    /// - Throws: `StoreError` for a text that libpq can't parse. Without libpq's reason, which repeats a part of the
    ///   text that may be the password.
    init(_ text: String) throws(StoreError) {
        guard let options = Self.parse(text) else {
            throw StoreError(
                .incompatible,
                "libpq cannot parse the PostgreSQL URL. It must look like "
                    + "postgres://user:password@host:5432/database?sslmode=verify-full; in user and password, "
                    + "characters "
                    + "other than letters and digits must be percent-encoded.")
        }
        self.text = text
        secrets = ["password", "sslpassword"].compactMap { options[$0] }.filter { !$0.isEmpty }
    }

    /// Whether a text contains a secret; true for one that can't be parsed.
    static func holdsSecret(_ text: String) -> Bool {
        guard let string = try? PostgresConnectionString(text) else { return true }
        return !string.secrets.isEmpty
    }

    /// A text of libpq or the server without the secrets, on one line.
    func redact(_ message: String) -> String {
        var message = message
        for secret in secrets {
            message = message.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "<redacted>")
        }
        return message.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// The options set by a text.
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
