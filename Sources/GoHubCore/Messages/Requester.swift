/// The requester that waits for a reply.
public struct Requester: Hashable, Sendable {
    public enum Origin: Hashable, Sendable {
        case session(SessionID)
        /// A request of the shell, such as the server API's, with a number chosen by the shell.
        case service(edge: EdgeID, UInt64)
    }

    public var origin: Origin
    public var id: CommandID

    public init(_ origin: Origin, id: CommandID) {
        self.origin = origin
        self.id = id
    }
}
