internal import ArgumentParser
internal import GoHubConfiguration
internal import GoHubCore

/// `gohubd token`: a token for development, signed with the configured secret.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Print a development token, signed with auth.secret or auth.secretFile.",
        discussion: """
            In production your sign-in service issues the tokens.

            Example: gohubd token --subject alice --room lobby --room 'team-*:read' --ttl 8h
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "The user's id (`sub`).")
    var subject: String

    @Option(help: "The tenant. Default: the default tenant.")
    var tenant: String?

    @Option(help: "The display name. Default: the user's id.")
    var name: String?

    @Option(
        name: .customLong("room"),
        help: ArgumentHelp(
            """
            Rooms that the token grants access to: a name, or a prefix and *, then the permissions (default: \
            read,write). May be repeated. Default: the hub's policy for tokens without rooms.
            """, valueName: "pattern[:read,write,moderate]"))
    var rooms: [String] = []

    @Option(help: "The token's lifetime, in s, m, h or d.")
    var ttl = "1h"

    func run() async throws {
        let token = try await mint(try options.values(), now: .now())
        Console.print(token + "\n")
    }

    func mint(_ values: ConfigurationValues, now: WallTime) async throws -> String {
        guard let user = UserID(subject) else {
            throw ValidationError("--subject must have 1 to \(UserID.bytesMax) bytes without control characters.")
        }
        let tenant = try tenant.map { text in
            guard let tenant = TenantID(text) else {
                throw ValidationError("--tenant must be 1 to 64 of a-z, 0-9, '.', '_' and '-'.")
            }
            return tenant
        }
        let expiresAt = WallTime(milliseconds: now.milliseconds + Int64(try Self.seconds(ttl)) * 1000)
        let minter = try Self.minter(TokenKeysConfiguration(values))
        return try minter.mint(
            user: user, tenant: tenant, name: name, grants: rooms.isEmpty ? nil : Self.grants(rooms),
            expiresAt: expiresAt)
    }

    private static func minter(_ keys: TokenKeysConfiguration) throws -> TokenMinter {
        guard let secret = keys.secret else {
            throw ConfigurationError(
                "There is no secret to sign with. Set auth.secretFile or GOHUB_AUTH_SECRET. (Without any key the hub "
                    + "runs in development mode, which needs no tokens.)")
        }
        guard keys.algorithm == .hs256 else {
            throw ConfigurationError(
                "auth.algorithm is \(keys.algorithm.rawValue), but `gohubd token` supports only HS256.")
        }
        let bytes = try secret.read(bytesMin: 32)
        do throws(JWTVerifier.ConfigurationError) {
            return try TokenMinter(
                secret: bytes, issuer: keys.token.issuer, audience: keys.token.audience)
        } catch {
            throw ConfigurationError("\(secret): \(error)", underlying: error)
        }
    }

    // MARK: Reading the options

    /// `lobby`, `team-*`, `lobby:read,write,moderate`.
    static func grants(_ rooms: [String]) throws -> Grants {
        guard rooms.count <= Grants.entriesMax else {
            throw ValidationError("A token can have at most \(Grants.entriesMax) --room options.")
        }
        let entries = try rooms.map { text in
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let pattern = Grants.Pattern(String(parts[0])) else {
                throw ValidationError("--room '\(text)' names no room. Write a name, or a prefix and *.")
            }
            var permissions: Permissions = parts.count == 1 ? [.read, .write] : []
            for word in parts.dropFirst().flatMap({ $0.split(separator: ",") }) {
                switch word {
                case "read": permissions.insert(.read)
                case "write": permissions.insert(.write)
                case "moderate": permissions.insert(.moderate)
                default: throw ValidationError("--room accepts read, write and moderate, but not '\(word)'.")
                }
            }
            guard !permissions.isEmpty else {
                throw ValidationError("--room '\(text)' grants nothing. Write read, write or moderate after the colon.")
            }
            return Grants.Entry(match: pattern, can: permissions)
        }
        return Grants(entries)
    }

    /// `45s`, `30m`, `8h`, `7d`; a bare number is seconds. At most ten years.
    static func seconds(_ text: String) throws -> Int {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = text.last.flatMap { units[$0] }
        let digits = unit == nil ? text[...] : text.dropLast()
        guard let count = Int(digits), count > 0, count <= 315_360_000 / (unit ?? 1) else {
            throw ValidationError("--ttl must be a number with the unit s, m, h or d, such as 45s, 30m, 8h or 7d.")
        }
        return count * (unit ?? 1)
    }
}
