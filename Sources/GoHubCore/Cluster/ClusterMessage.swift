/// Where a message of the bus goes: to whoever is interested in it, and nobody else.
package enum ClusterTopic: Hashable, Sendable {
    /// All nodes.
    case all
    /// One node.
    case node(NodeIncarnation)
    /// The nodes with members of the room.
    case room(RoomID)
    /// The nodes with sessions of the user.
    case user(UserKey)
}

/// What a node says of itself, once a second.
package struct NodeBeat: Hashable, Sendable {
    package var name: NodeName
    package var status: NodeStatus
    package var sessions: Int
    package var rooms: Int
    /// The node's calendar. A difference is logged; nothing is decided by it.
    package var wall: WallTime

    package init(_ name: NodeName, _ status: NodeStatus, sessions: Int, rooms: Int, wall: WallTime) {
        self.name = name
        self.status = status
        self.sessions = sessions
        self.rooms = rooms
        self.wall = wall
    }
}

/// A request of the server API that every node answers for itself.
package enum ClusterQuestion: Hashable, Sendable {
    /// Rooms of a tenant that are in memory.
    case rooms(TenantID)
    /// Close a user's sessions; the answer is how many there were.
    case remove(UserKey, CloseCode)
}

package enum ClusterReply: Hashable, Sendable {
    case rooms([RoomName])
    case removed(sessions: Int)
}

/// Entries of a room that a node has stored and delivered.
package struct RoomEntries: Hashable, Sendable {
    package var epoch: Epoch
    /// In the order of their offsets, which need not follow each other.
    package var entries: [StoredMessage]
    /// The sender's version of its users in the room; `nil` if it has none.
    package var presence: PresenceVersion?

    package init(_ epoch: Epoch, _ entries: [StoredMessage], presence: PresenceVersion? = nil) {
        self.epoch = epoch
        self.entries = entries
        self.presence = presence
    }
}

/// A message from one node to others. What the store has is only told sooner; what it doesn't have may be lost.
///
/// It names no shard, no edge and no session: those are inside a node, where `HubInput` is the message to an owner.
///
/// The room of a room's message, and the user of a user's, are those of its topic: who may publish to one topic can't
/// speak for another.
package indirect enum ClusterMessage: Hashable, Sendable {
    // MARK: To all

    case beat(NodeBeat)
    /// The node ends, and its users have been sent to others.
    case bye
    /// The sender's link was away: what it has stored meanwhile, it has not published.
    case returned
    /// A question to be answered by everybody, to the sender's own topic.
    case ask(number: UInt64, ClusterQuestion)

    // MARK: To one node

    case reply(number: UInt64, ClusterReply)
    case claimAnswered(ClaimAnswer)
    case presencePart(RoomID, PresencePart)
    /// Wants the receiver's users in the room, as parts.
    case presenceWantedOf(RoomID)

    // MARK: To a room

    case entries(RoomEntries)
    /// The room has entries up to here: instead of entries that are too many, or were told already.
    case head(Position)
    case ephemeral(MessageContent, at: WallTime)
    case typed(UserID, isActive: Bool)
    case receipts(Epoch, [UserReceipt])
    case presence(PresenceUpdate)
    /// The sender's users in the room have this version, for those who have missed an update or everything.
    case presenceIs(PresenceVersion)
    /// Wants everybody's users in the room, as parts to the sender's own topic.
    case presenceWanted
    /// A moderator's action took effect: it is stored, or a kick.
    case moderated(Sanction)
    /// The room's mutes and bans may have changed in the store.
    case sanctionsChanged
    /// It isn't known whether the user's message was stored, and it may be stored later.
    case inDoubt(UserID, CommandID)

    // MARK: To a user

    case claim(SessionClaim)
    /// Entries of a direct conversation with the user.
    case direct(RoomName, RoomEntries)
    case directEphemeral(RoomName, MessageContent, at: WallTime)
    case directTyped(RoomName, UserID, isActive: Bool)
    case directReceipts(RoomName, Epoch, [UserReceipt])

    /// Approximately the bytes on a bus, for bounds of what waits.
    package var weight: Int {
        switch self {
        case .entries(let entries): Self.header + Self.weight(of: entries.entries)
        case .direct(let room, let entries): Self.header + room.value.utf8.count + Self.weight(of: entries.entries)
        case .ephemeral(let content, _): Self.header + content.weight
        case .directEphemeral(let room, let content, _): Self.header + room.value.utf8.count + content.weight
        case .receipts(_, let receipts), .directReceipts(_, _, let receipts): Self.header + receipts.count * 64
        case .presence(let update): Self.header + (update.joined.count + update.left.count) * 64
        case .presencePart(_, let part): Self.header + part.members.count * 64
        case .reply(_, .rooms(let rooms)): Self.header + rooms.count * 32
        default: Self.header
        }
    }

    /// The topic, the sender, the time, and the names of a message without a list.
    private static let header = 160

    private static func weight(of entries: [StoredMessage]) -> Int {
        entries.reduce(0) { $0 + 96 + $1.content.weight }
    }
}

/// A message as it arrives.
package struct ClusterFrame: Hashable, Sendable {
    package var from: NodeIncarnation
    /// The sender's clock, for `HybridClock.heard`.
    package var time: HybridTime
    package var topic: ClusterTopic
    package var message: ClusterMessage

    package init(from: NodeIncarnation, time: HybridTime, topic: ClusterTopic, _ message: ClusterMessage) {
        self.from = from
        self.time = time
        self.topic = topic
        self.message = message
    }
}
