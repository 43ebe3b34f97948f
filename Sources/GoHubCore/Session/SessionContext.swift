/// What all sessions of a hub share: fixed when it starts. An object, so that each session holds a pointer to it and
/// not a copy of every limit.
public final class SessionContext: Sendable {
    /// How a session shows who it is.
    public enum Authentication: Hashable, Sendable {
        /// A token at the handshake or in `hello`.
        case token
        /// Whoever `hello` names, as a moderator: for development on the own machine only.
        case development
    }

    public let limits: Limits
    public let authentication: Authentication
    public let limiter: RateLimiter
    public let slashCommands: SlashCommandRegistry
    /// What uploads over a session go to; `nil` closes whoever sends a binary message.
    public let files: (any FileStore)?
    let transferPlaces: TransferPlaces
    /// The node's name, as `welcome` tells it.
    public let node: String
    let decoder: CommandDecoder

    public init(
        limits: Limits = Limits(), authentication: Authentication = .token, limiter: RateLimiter = RateLimiter(),
        slashCommands: SlashCommandRegistry = SlashCommandRegistry(), files: (any FileStore)? = nil,
        node: String = "node-1"
    ) {
        self.limits = limits
        self.authentication = authentication
        self.limiter = limiter
        self.slashCommands = slashCommands
        self.files = files
        transferPlaces = TransferPlaces(max: limits.transfersMax, perUserMax: limits.transfersPerUserMax)
        self.node = node
        decoder = CommandDecoder(limits: limits)
    }
}
