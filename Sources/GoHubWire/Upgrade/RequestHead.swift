/// The head of an HTTP/1.1 request: its first line and its fields (RFC 9112, sections 3 and 5).
struct RequestHead: Equatable, Sendable {
    enum Version: Sendable {
        case http10
        case http11
    }

    struct Field: Equatable, Sendable {
        /// In lower case if it came in a request.
        let name: String
        /// Without surrounding white space. Bytes beyond ASCII that aren't UTF-8 are replaced by U+FFFD.
        let value: String
    }

    /// Case-sensitive (RFC 9110, section 9.1).
    let method: String
    /// As it was sent, percent-encoding included.
    let target: String
    /// The target's path, still percent-encoded; `*` for `OPTIONS *`.
    let path: String
    /// The text after the target's first `?`, still percent-encoded.
    let query: String?
    let version: Version
    /// In the order of the request.
    let fields: [Field]

    /// The Host field: host and, if it was sent, port. HTTP/1.1 always has it; HTTP/1.0 may lack it.
    var host: String? { first("host") }

    /// The value of the first field with this name, which must be in lower case.
    func first(_ name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// The number of fields with this name, which must be in lower case.
    func count(of name: String) -> Int {
        fields.reduce(0) { $1.name == name ? $0 + 1 : $0 }
    }

    /// The values of all fields with this name as one (RFC 9110, section 5.2); `nil` if there is none.
    func combined(_ name: String) -> String? {
        var combined: String?
        for field in fields where field.name == name {
            combined = combined.map { $0 + ", " + field.value } ?? field.value
        }
        return combined
    }

    /// The elements of a comma-separated list over all fields with this name, without empty elements (RFC 9110, section
    /// 5.6.1). Not for lists that may contain quoted strings.
    func list(_ name: String) -> [Substring] {
        var elements: [Substring] = []
        for field in fields where field.name == name {
            for element in field.value.utf8.split(separator: UInt8(ascii: ",")) {
                let trimmed = HTTPSyntax.trimmed(Substring(element))
                if !trimmed.isEmpty { elements.append(trimmed) }
            }
        }
        return elements
    }

    /// Whether a list field contains a token, in upper or lower case. The token must be given in lower case.
    func contains(_ token: String, in name: String) -> Bool {
        list(name).contains { HTTPSyntax.equals($0, lowercase: token) }
    }
}
