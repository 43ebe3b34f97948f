internal import GoHubHTTPSyntax
internal import GoHubSystem
internal import HTTPTypes

/// The preconditions of a request: the client's knowledge of a file (RFC 9110, section 13).
struct Preconditions {
    /// The file's tag: quoted, and strong, because its bytes never change (section 8.8.3).
    let entityTag: String
    /// Seconds since 1970 UTC; HTTP dates have no fractions (section 8.8.2).
    let modifiedAt: Int64

    enum Verdict: Equatable {
        /// Process the request.
        case proceed
        /// 304: the client has this file.
        case notModified
        /// 412: the file does not match the precondition.
        case failed
    }

    /// Evaluates in the order of section 13.2.2, for `GET` and `HEAD` of an existing file.
    func decision(_ fields: HTTPFields) -> Verdict {
        if let tags = EntityTags(fields[values: .ifMatch]) {
            // Section 13.1.1: compared strongly.
            guard tags.contain(entityTag, weakly: false) else { return .failed }
        } else if let date = fields[.ifUnmodifiedSince].flatMap(HTTPDate.parse) {
            // Section 13.1.4; an invalid date is ignored.
            guard modifiedAt <= date else { return .failed }
        }
        if let tags = EntityTags(fields[values: .ifNoneMatch]) {
            // Section 13.1.2: compared weakly.
            return tags.contain(entityTag, weakly: true) ? .notModified : .proceed
        }
        if let date = fields[.ifModifiedSince].flatMap(HTTPDate.parse), modifiedAt <= date { return .notModified }
        return .proceed
    }

    /// Whether a range may be sent (section 13.1.5): with `If-Range`, only of exactly the client's version.
    func allowsRange(_ fields: HTTPFields) -> Bool {
        guard let condition = fields[.ifRange] else { return true }
        if condition.hasPrefix("\"") { return condition == entityTag }
        // A weak tag never matches, a date only if it is equal.
        return HTTPDate.parse(condition) == modifiedAt
    }
}

/// A list of entity tags, or `*` (RFC 9110, sections 8.8.3 and 13.1.1).
private struct EntityTags {
    private var isAny = false
    private var tags: [(text: Substring, isWeak: Bool)] = []

    /// - Returns: `nil` when there is no such field. An invalid tag matches nothing.
    init?(_ fields: [String]) {
        guard !fields.isEmpty else { return nil }
        for field in fields {
            var rest = Substring(field)
            while true {
                rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "," }
                guard let first = rest.first else { break }
                if first == "*" {
                    isAny = true
                    rest = rest.dropFirst()
                    continue
                }
                let isWeak = rest.hasPrefix("W/")
                if isWeak { rest = rest.dropFirst(2) }
                // A tag may contain commas, so its quotes are searched.
                guard rest.first == "\"", let end = rest.dropFirst().firstIndex(of: "\"") else { break }
                tags.append((rest[...end], isWeak))
                rest = rest[rest.index(after: end)...]
            }
        }
    }

    func contain(_ tag: String, weakly: Bool) -> Bool {
        isAny || tags.contains { $0.text == tag && (weakly || !$0.isWeak) }
    }
}
