internal import DequeModule
internal import GoHubCore

/// How the hub introduces itself to a server.
package struct RedisIntroduction: Hashable, Sendable {
    package var credentials: RedisCredentials?
    /// For CLIENT LIST: ASCII without spaces.
    package var name: String
    /// Whether a server without the command ROLE is taken for the primary: not if Sentinels have named it.
    package var acceptsUnknownRole: Bool

    package init(credentials: RedisCredentials? = nil, name: String, acceptsUnknownRole: Bool = true) {
        self.credentials = credentials
        self.name = name
        self.acceptsUnknownRole = acceptsUnknownRole
    }
}

/// The first commands on a connection, all sent at once, and their replies: who the hub is, and what the server is.
///
/// RESP2 is what every server speaks without being asked, so there is no HELLO.
struct RedisGreeting: Sendable {
    private let introduction: RedisIntroduction
    private var expected = Deque<RedisRequest>()
    private var server = RedisServer(role: .unknown)

    /// Writes the commands.
    init(_ introduction: RedisIntroduction, to writer: inout RESPWriter) {
        self.introduction = introduction
        if let credentials = introduction.credentials {
            if let user = credentials.user {
                writer.command("AUTH", user, credentials.password)
            } else {
                writer.command("AUTH", credentials.password)
            }
            expected.append(.authenticate(credentials))
        }
        writer.command("CLIENT", "SETNAME", introduction.name)
        expected.append(.setName)
        writer.command("ROLE")
        expected.append(.role)
        writer.command("INFO", "server")
        expected.append(.info)
    }

    /// The command whose reply is next.
    var awaited: RedisRequest { expected.first ?? .info }

    /// Takes the next reply.
    ///
    /// - Returns: the server, with the last reply.
    mutating func take(_ reply: RESPValue) throws(RedisError) -> RedisServer? {
        guard let request = expected.popFirst() else { throw .unexpected(.ping) }
        switch (request, reply) {
        case (.authenticate, .simple): break
        // Nothing depends on the name.
        case (.setName, .simple): break
        case (.setName, .error(let text)):
            // It may also be the reason why the server refuses the connection itself.
            let error = RedisError(reply: text, to: request)
            guard text.starts(with: "NOPERM".utf8) || error.code == .refused else { throw error }
        case (.role, .array):
            guard let role = RedisServer.Role(reply) else { throw .unexpected(.role) }
            server.role = role
            if let error = role.error(acceptsUnknown: introduction.acceptsUnknownRole) { throw error }
        case (.role, .error(let text)):
            guard Self.isUnknownCommand(text) else { throw RedisError(reply: text, to: request) }
            if let error = server.role.error(acceptsUnknown: introduction.acceptsUnknownRole) { throw error }
        case (.info, .bulk):
            let info = RedisInfo(reply.text ?? "")
            (server.runID, server.version) = (info.runID, info.version)
        case (.info, .error(let text)):
            guard Self.isUnknownCommand(text) else { throw RedisError(reply: text, to: request) }
        case (_, .error(let text)): throw RedisError(reply: text, to: request)
        default: throw .unexpected(request)
        }
        return expected.isEmpty ? server : nil
    }

    /// `ERR unknown command 'ROLE'…`, in the spellings of all servers.
    private static func isUnknownCommand(_ text: [UInt8]) -> Bool {
        let text = String(decoding: text, as: UTF8.self).lowercased()
        return text.hasPrefix("err unknown") || text.contains("not supported")
    }
}
