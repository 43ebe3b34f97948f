/// The web pages that may open a WebSocket here: the defence against cross-site hijacking (RFC 6455, section 10.2).
///
/// A browser sends `Origin` with every handshake and a page can't forge it. A client that isn't a browser needn't send
/// it and could forge it: for such a client the token decides, not this policy.
public struct OriginPolicy: Sendable, Equatable {
    /// Only pages served by the hub's own host.
    public static let sameOrigin = OriginPolicy(rules: [.sameOrigin])

    /// A pattern that `OriginPolicy.init(patterns:)` does not support.
    public struct PatternError: Error, Equatable, CustomStringConvertible {
        /// The pattern, from the operator's configuration.
        public let pattern: String

        public init(pattern: String) {
            self.pattern = pattern
        }

        /// The supported patterns.
        public var description: String {
            "'\(pattern)' is not an origin pattern: write 'https://chat.example.com', 'https://*.example.com', "
                + "'http://localhost:*', 'same-origin', 'null' or '*'"
        }
    }

    private enum Rule: Equatable {
        case any
        case null
        case sameOrigin
        case origin(scheme: String, host: HostRule, port: PortRule)
    }

    private enum HostRule: Equatable {
        case exactly(String)
        /// The name must end with this suffix and have something before it. The suffix starts with a dot.
        case below(String)
        case any
    }

    private enum PortRule: Equatable {
        case exactly(UInt16?)
        case any
    }

    private let rules: [Rule]

    private init(rules: [Rule]) {
        self.rules = rules
    }

    /// Parses an allow-list. An origin is allowed if any pattern matches it.
    ///
    /// - `https://chat.example.com`, `http://localhost:8080`: exactly this origin; no port means the scheme's default.
    /// - `https://*.example.com`: every name below example.com at any depth, but not example.com itself.
    /// - `http://localhost:*`: any port.
    /// - `same-origin`: the host and port of the request itself. A list without it also refuses a page that reaches the
    ///   hub by DNS rebinding.
    /// - `null`: pages without an origin, such as sandboxed frames and local files.
    /// - `*`: every page.
    ///
    /// - Parameter patterns: in any order. None means `same-origin` alone.
    /// - Throws: `PatternError` for the first invalid pattern.
    public init(patterns: [String]) throws(PatternError) {
        guard !patterns.isEmpty else {
            self = .sameOrigin
            return
        }
        var rules: [Rule] = []
        for pattern in patterns {
            guard let rule = OriginPolicy.rule(pattern) else { throw PatternError(pattern: pattern) }
            rules.append(rule)
        }
        self.rules = rules
    }

    /// Whether a handshake is allowed.
    ///
    /// - Parameters:
    ///   - origin: the request's Origin; `nil` if it had none, which is allowed.
    ///   - host: the request's Host, with its port if it has one.
    ///   - isTLS: the client's own link is encrypted, here or at a proxy that is trusted to report it.
    public func allows(origin: String?, host: String, isTLS: Bool) -> Bool {
        guard let origin else { return true }
        if rules.contains(.any) { return true }
        if origin == "null" { return rules.contains(.null) }
        guard let parsed = Origin(origin) else { return false }
        return rules.contains { rule in
            switch rule {
            case .any, .null: false
            case .sameOrigin: parsed == Origin("\(isTLS ? "https" : "http")://\(host)")
            case .origin(let scheme, let host, let port):
                parsed.scheme == scheme && OriginPolicy.matches(host, parsed.host)
                    && (port == .any || port == .exactly(parsed.port))
            }
        }
    }

    /// Whether pages of the request's own host are allowed, whatever the host is called.
    public var includesSameOrigin: Bool { rules.contains(.sameOrigin) || rules.contains(.any) }

    private static func matches(_ rule: HostRule, _ host: String) -> Bool {
        switch rule {
        case .exactly(let name): host == name
        case .below(let suffix): host.hasSuffix(suffix) && host.utf8.count > suffix.utf8.count
        case .any: true
        }
    }

    private static func rule(_ pattern: String) -> Rule? {
        switch pattern {
        case "*": return .any
        case "null": return .null
        case "same-origin": return .sameOrigin
        default: break
        }
        guard let colon = pattern.firstIndex(of: ":"), pattern[colon...].hasPrefix("://") else { return nil }
        let prefix = pattern[..<colon] + "://"
        var authority = pattern[colon...].dropFirst(3)
        var port: PortRule?
        if authority.hasSuffix(":*") {
            port = .any
            authority = authority.dropLast(2)
        }
        // Without its wildcard, a pattern is parsed like an ordinary origin.
        let isBelow = authority.hasPrefix("*.")
        let isAny = authority == "*" || authority.hasPrefix("*:")
        if isBelow { authority = authority.dropFirst(2) }
        if isAny { authority = "any" + authority.dropFirst() }
        guard let origin = Origin(prefix + authority) else { return nil }
        return .origin(
            scheme: origin.scheme, host: isAny ? .any : isBelow ? .below("." + origin.host) : .exactly(origin.host),
            port: port ?? .exactly(origin.port))
    }
}

/// A page's origin: scheme, host and port (RFC 6454, section 6.2).
private struct Origin: Equatable {
    let scheme: String
    let host: String
    /// The scheme's default if the text had none; `nil` if the scheme has no known default.
    let port: UInt16?

    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8) else {
            return nil
        }
        let scheme = String(decoding: bytes[..<colon], as: UTF8.self)
        guard let authority = Authority(String(decoding: bytes[(colon + 3)...], as: UTF8.self)),
            let first = scheme.utf8.first, first | 0x20 >= UInt8(ascii: "a"), first | 0x20 <= UInt8(ascii: "z"),
            HTTPSyntax.isToken(scheme)
        else { return nil }
        self.scheme = scheme.lowercased()
        host = authority.host
        port = authority.port ?? Origin.defaultPorts[self.scheme]
    }

    private static let defaultPorts: [String: UInt16] = ["http": 80, "https": 443]
}
