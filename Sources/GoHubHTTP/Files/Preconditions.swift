internal import GoHubHTTPSyntax
internal import GoHubSystem
internal import HTTPTypes

/// What a client knows of a file already, and what it makes of that (RFC 9110, section 13).
struct Preconditions {
    /// Of the file: in quotes, and strong, since its bytes never change (section 8.8.3).
    let entityTag: String
    /// Seconds since 1970 UTC; dates in HTTP have no parts of them (section 8.8.2).
    let modifiedAt: Int64

    enum Verdict: Equatable {
        /// Goes on.
        case proceed
        /// 304: what the client has is it.
        case notModified
        /// 412: it isn't what the client thinks.
        case failed
    }

    /// In the order of section 13.2.2, for `GET` and `HEAD` of a file that is there.
    func verdict(_ fields: HTTPFields) -> Verdict {
        if let tags = EntityTags(fields[values: .ifMatch]) {
            // Section 13.1.1: compared strongly.
            guard tags.contain(entityTag, weakly: false) else { return .failed }
        } else if let date = fields[.ifUnmodifiedSince].flatMap(HTTPDate.parse) {
            // Section 13.1.4; a date that isn't one is ignored.
            guard modifiedAt <= date else { return .failed }
        }
        if let tags = EntityTags(fields[values: .ifNoneMatch]) {
            // Section 13.1.2: compared weakly.
            return tags.contain(entityTag, weakly: true) ? .notModified : .proceed
        }
        if let date = fields[.ifModifiedSince].flatMap(HTTPDate.parse), modifiedAt <= date { return .notModified }
        return .proceed
    }

    /// Whether a range may be sent (section 13.1.5): with `If-Range`, only of exactly what the client has.
    func allowsRange(_ fields: HTTPFields) -> Bool {
        guard let condition = fields[.ifRange] else { return true }
        if condition.hasPrefix("\"") { return condition == entityTag }
        // A weak tag never matches, a date only when it is this one.
        return HTTPDate.parse(condition) == modifiedAt
    }
}

/// A list of entity tags, or `*` (RFC 9110, sections 8.8.3 and 13.1.1).
private struct EntityTags {
    private var isAny = false
    private var tags: [(text: Substring, isWeak: Bool)] = []

    /// - Returns: `nil` when there is no such field. What isn't a tag matches nothing.
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
                // A tag may hold commas, so that its quotes are looked for.
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
