internal import GoHubCore
package import GoHubTLS

/// The place of the bus, as in the configuration's `cluster.redis`:
///
/// - `redis://[user:password@]host[:6379]`, one server, or a name that leads to the primary of a managed service;
/// - `redis+sentinel://[user:password@]host[:26379],host,…/name`, the primary that Sentinels know by the name.
///
/// With `rediss` in place of `redis` all connections use TLS. Options follow after `?`, joined by `&`:
///
/// | option | |
/// |---|---|
/// | `ca` | a PEM file with the authorities for the server's certificate; without it those of the system |
/// | `certificate`, `key` | PEM files with the hub's certificate and key, for servers that want one |
/// | `serverName` | the name in the server's certificate, if it isn't the host's |
/// | `sentinelUser`, `sentinelPassword` | for Sentinels, which have users of their own |
///
/// Users, passwords and options are percent-encoded.
package struct RedisLocation: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        case server(RedisAddress)
        /// - `master`: the name that the Sentinels have for the primary.
        case sentinels([RedisAddress], master: String)
    }

    package struct TLS: Hashable, Sendable {
        /// `nil` for the authorities of the system.
        package var caPath: String?
        package var certificatePath: String?
        package var keyPath: String?
        /// `nil` for the host that is dialled.
        package var serverName: String?

        package init() {}
    }

    package static let sentinelsMax = 32

    package let place: Place
    package let credentials: RedisCredentials?
    package let sentinelCredentials: RedisCredentials?
    /// `nil` for connections without encryption.
    package let tls: TLS?

    /// - Throws: `RedisLocationError` for an invalid text. It doesn't repeat any part of the text: where a password has
    ///   a character that should have been encoded, each part of it can be misread.
    package init(_ text: String) throws(RedisLocationError) {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw RedisLocationError("other characters than printable ASCII must be percent-encoded")
        }
        guard !text.utf8.contains(UInt8(ascii: "#")) else { throw .unencoded("#") }
        let (scheme, rest) = try Self.cut(text, at: "://", or: .noScheme)
        let isTLS: Bool
        let isSentinel: Bool
        switch scheme {
        case "redis": (isTLS, isSentinel) = (false, false)
        case "rediss": (isTLS, isSentinel) = (true, false)
        case "redis+sentinel": (isTLS, isSentinel) = (false, true)
        case "rediss+sentinel": (isTLS, isSentinel) = (true, true)
        default: throw .noScheme
        }
        let question = rest.firstIndex(of: "?") ?? rest.endIndex
        let slash = rest[..<question].firstIndex(of: "/") ?? question
        let (credentials, hosts) = try Self.authority(rest[..<slash])
        let path = rest[slash..<question].dropFirst()
        var options = try Self.options(rest[question...].dropFirst())

        self.credentials = credentials
        if isSentinel {
            guard let master = Self.masterName(path) else {
                throw RedisLocationError(
                    "after the Sentinels must come / and the name that they have for the primary: letters, digits, ., - "
                        + "and _")
            }
            let sentinels = try hosts.map { (host) throws(RedisLocationError) in try Self.address(host, port: 26379) }
            guard sentinels.count <= Self.sentinelsMax else {
                throw RedisLocationError("more than \(Self.sentinelsMax) Sentinels")
            }
            place = .sentinels(sentinels, master: master)
        } else {
            guard path.isEmpty || path == "0" else {
                throw RedisLocationError(
                    "after the address must come nothing, or ? and options; the bus uses channels, which belong to no "
                        + "database")
            }
            guard hosts.count == 1, let host = hosts.first else {
                throw RedisLocationError("redis:// takes one server; several Sentinels need redis+sentinel://")
            }
            place = .server(try Self.address(host, port: 6379))
        }
        sentinelCredentials = try Self.sentinelCredentials(&options, isSentinel: isSentinel)
        tls = try Self.tls(&options, isTLS: isTLS)
        // The names of options are in an error only if they are known: this one may be the rest of a password.
        guard options.isEmpty else {
            throw RedisLocationError(
                "an option is unknown, or a ? in the password isn't percent-encoded; options are ca, certificate, key, "
                    + "serverName, sentinelUser and sentinelPassword")
        }
    }

    /// Whether it contains a password, which must then be kept from other users.
    package var holdsPassword: Bool { credentials != nil || sentinelCredentials != nil }

    // MARK: Parts

    private static func cut(
        _ text: String, at mark: String, or error: RedisLocationError
    ) throws(RedisLocationError) -> (Substring, Substring) {
        let parts = text.split(separator: mark, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw error }
        return (parts[0], parts[1])
    }

    /// The user and the hosts.
    private static func authority(
        _ text: Substring
    ) throws(RedisLocationError) -> (RedisCredentials?, [Substring]) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw .unencoded("@") }
        guard let hosts = parts.last, !hosts.isEmpty else {
            throw RedisLocationError("the server's address is missing")
        }
        let list = hosts.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return (nil, list) }
        let words = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard words.count <= 2 else { throw .unencoded(":") }
        guard words.count == 2, !words[1].isEmpty else {
            throw RedisLocationError("before @ must come user:password, or :password for the default user")
        }
        guard let user = PercentDecoding.decode(words[0].utf8), let password = PercentDecoding.decode(words[1].utf8)
        else { throw .malformedEscape }
        return (RedisCredentials(user: user.isEmpty ? nil : user, password: password), list)
    }

    private static func address(
        _ text: Substring, port standard: UInt16
    ) throws(RedisLocationError) -> RedisAddress {
        var host = text
        var port = standard
        // The last colon outside of brackets.
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            let digits = text[text.index(after: colon)...]
            guard digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = UInt16(digits),
                number != 0
            else {
                throw RedisLocationError(
                    "a port must be a number from 1 to 65535; in user and password, characters other than letters and "
                        + "digits must be percent-encoded")
            }
            (host, port) = (text[..<colon], number)
        }
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw RedisLocationError("an IPv6 address must be in brackets")
        }
        guard let address = RedisAddress(host: String(host), port: port) else {
            throw RedisLocationError("an address must be a host's name or an IP address, with or without :port")
        }
        return address
    }

    /// The characters are those that Sentinel allows. So the rest of a password with a `/` is no name.
    private static func masterName(_ text: Substring) -> String? {
        guard !text.isEmpty, text.utf8.allSatisfy({ ChannelNames.isUnreserved($0) || $0 == UInt8(ascii: ".") }) else {
            return nil
        }
        return String(text)
    }

    private static func options(_ text: Substring) throws(RedisLocationError) -> [String: String] {
        var options: [String: String] = [:]
        for option in text.split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[1].isEmpty else {
                throw RedisLocationError("an option must look like name=value")
            }
            guard let value = PercentDecoding.decode(parts[1].utf8) else { throw .malformedEscape }
            guard options.updateValue(value, forKey: String(parts[0])) == nil else {
                throw RedisLocationError("an option is set twice")
            }
        }
        return options
    }

    private static func sentinelCredentials(
        _ options: inout [String: String], isSentinel: Bool
    ) throws(RedisLocationError) -> RedisCredentials? {
        let user = options.removeValue(forKey: "sentinelUser")
        let password = options.removeValue(forKey: "sentinelPassword")
        guard isSentinel || (user == nil && password == nil) else {
            throw RedisLocationError("sentinelUser and sentinelPassword need redis+sentinel://")
        }
        guard let password else {
            guard user == nil else { throw RedisLocationError("sentinelUser needs sentinelPassword") }
            return nil
        }
        return RedisCredentials(user: user, password: password)
    }

    private static func tls(
        _ options: inout [String: String], isTLS: Bool
    ) throws(RedisLocationError) -> TLS? {
        var tls = TLS()
        tls.caPath = options.removeValue(forKey: "ca")
        tls.certificatePath = options.removeValue(forKey: "certificate")
        tls.keyPath = options.removeValue(forKey: "key")
        tls.serverName = options.removeValue(forKey: "serverName")
        guard isTLS else {
            guard tls == TLS() else {
                throw RedisLocationError(
                    "ca, certificate, key and serverName need TLS: rediss:// or rediss+sentinel://")
            }
            return nil
        }
        guard (tls.certificatePath == nil) == (tls.keyPath == nil) else {
            throw RedisLocationError("certificate and key need each other")
        }
        return tls
    }
}

extension RedisLocation.TLS {
    /// The settings of the connections.
    package var client: TLSClientSettings {
        TLSClientSettings(
            authoritiesPath: caPath, certificateChainPath: certificatePath, privateKeyPath: keyPath,
            serverName: serverName)
    }
}

extension RedisLocation: CustomStringConvertible, CustomDebugStringConvertible {
    /// For logs, without user and password.
    package var description: String {
        let scheme = tls == nil ? "redis" : "rediss"
        return switch place {
        case .server(let address): "\(scheme)://\(address)"
        case .sentinels(let sentinels, let master):
            "\(scheme)+sentinel://\(sentinels.map(\.description).joined(separator: ","))/\(master)"
        }
    }

    package var debugDescription: String { description }
}

/// The reason why a location is invalid: a phrase without capital and full stop, never with a part of the location.
package struct RedisLocationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }

    static let noScheme = RedisLocationError(
        "a bus on Redis is 'redis://user:password@host:6379', 'rediss://…' with TLS, or "
            + "'redis+sentinel://user:password@host:26379,host:26379/name'")
    static let malformedEscape = RedisLocationError("a % must be followed by two hexadecimal digits, and make UTF-8")

    static func unencoded(_ sign: String) -> RedisLocationError {
        RedisLocationError(
            "in user and password, characters other than letters and digits must be percent-encoded, such as \(sign)")
    }
}
