/// The shared, constant context of a hub's sessions. An object, so that each session holds a pointer and not a copy of
/// every limit. Each hub needs its own, because the ids of its sessions are unique only with the context's incarnation.
public final class SessionContext: Sendable {
    /// The way in which a session authenticates.
    public enum Authentication: Hashable, Sendable {
        /// A token at the handshake or in `hello`.
        case token
        /// Any user named by `hello`, as a moderator: for development on the local machine only.
        case development
    }

    public let limits: Limits
    public let authentication: Authentication
    /// The rates of connections, users, addresses and rooms, with their buckets.
    public let limiter: RateLimiter
    public let slashCommands: SlashCommand.Registry
    /// The destination of uploads; `nil` closes a session that sends a binary message.
    public let files: (any FileStore)?
    let transferSlots: TransferSlots
    /// The node's name in `welcome`.
    public let node: String
    /// The life of the hub, in the ids of its sessions.
    package let incarnation = NodeIncarnation.random()
    let decoder: CommandDecoder

    /// - Parameters:
    ///   - limits: the bounds of sessions and rooms; consistent by `Limits.contradictions()`.
    ///   - authentication: the way in which sessions authenticate.
    ///   - limiter: the rates. Hubs that share clients can share it.
    ///   - slashCommands: the commands that users can type.
    ///   - files: the store of uploads; `nil` for a hub without files.
    ///   - node: the node's name in `welcome`.
    public init(
        limits: Limits = Limits(), authentication: Authentication = .token, limiter: RateLimiter = RateLimiter(),
        slashCommands: SlashCommand.Registry = SlashCommand.Registry(), files: (any FileStore)? = nil,
        node: String = "node-1"
    ) {
        self.limits = limits
        self.authentication = authentication
        self.limiter = limiter
        self.slashCommands = slashCommands
        self.files = files
        transferSlots = TransferSlots(max: limits.transfersMax, perUserMax: limits.transfersPerUserMax)
        self.node = node
        decoder = CommandDecoder(limits: limits)
    }
}
