/// The requester that waits for a reply.
package struct Requester: Hashable, Sendable {
    package enum Origin: Hashable, Sendable {
        case session(SessionID)
        /// A request of the shell, such as the server API's, with a number chosen by the shell.
        case service(edge: EdgeID, UInt64)
    }

    package var origin: Origin
    package var id: CommandID

    package init(_ origin: Origin, id: CommandID) {
        self.origin = origin
        self.id = id
    }
}
