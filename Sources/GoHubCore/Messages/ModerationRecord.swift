extension Sanction {
    /// The record of a moderator's action, for an audit log. Contains no text of a message.
    public struct Record: Hashable, Sendable {
        public var room: RoomID
        /// The sanction with the minutes in effect.
        public var sanction: Sanction
        /// True when the server API requested it, false for a session.
        public var isByService: Bool

        public init(room: RoomID, sanction: Sanction, isByService: Bool) {
            self.room = room
            self.sanction = sanction
            self.isByService = isByService
        }
    }
}
