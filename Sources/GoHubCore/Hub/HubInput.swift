/// What a shard of the hub is told: the messages that cross from edges, other shards and the server API to the one
/// owner of a room or a user.
///
/// Indirect but for a publication, which is an object already: an input is one pointer wherever it waits.
public enum HubInput: Equatable, Sendable {
    // MARK: To the shard that owns the user

    /// A session has shown its credentials and waits for its welcome.
    indirect case connected(SessionID, SessionKey)
    /// A session is over; it was in so many rooms, each of whose owners will say `roomCleared`.
    indirect case disconnected(SessionID, SessionKey, rooms: Int)
    /// A room's owner has removed an ended session.
    indirect case roomCleared(SessionID, SessionKey)
    /// Something for all devices of a user.
    indirect case userAddressed(UserKey, Event)
    /// The server API, or a moderator, removes a user.
    indirect case userRemoved(UserKey, CloseCode)
    /// A user asks for their rooms.
    indirect case roomsRequested(Requester, RoomsRequest)

    // MARK: To the shard that owns the room

    indirect case joined(JoinRequest)
    /// A session leaves; without an `id` because a new token no longer opens the room.
    indirect case left(SessionID, RoomID, id: CommandID?)
    /// An ended session leaves; `roomCleared` goes to its user's owner.
    indirect case sessionEnded(SessionID, SessionKey, RoomID)
    case published(Publication)
    indirect case typed(Member, RoomID, active: Bool)
    indirect case historyRequested(Requester, RoomID, HistoryRange, limit: Int)
    indirect case membersRequested(Requester, RoomID)
    /// A user has got that far.
    indirect case receipted(UserID, RoomID, Receipt)
    indirect case sanctioned(Requester, RoomID, Sanction)

    // MARK: To every shard

    indirect case drainStarted(DrainPlan)

    public enum Owner: Hashable, Sendable {
        case user(UserKey)
        case room(RoomID)
        case everyShard
    }

    /// Who must get it.
    public var owner: Owner {
        switch self {
        case .connected(_, let key), .disconnected(_, let key, _), .roomCleared(_, let key): .user(key.user)
        case .userAddressed(let user, _), .userRemoved(let user, _): .user(user)
        case .roomsRequested(_, let request): .user(request.user)
        case .joined(let request): .room(request.room)
        case .published(let publication): .room(publication.draft.room)
        case .left(_, let room, _), .sessionEnded(_, _, let room), .typed(_, let room, _): .room(room)
        case .historyRequested(_, let room, _, _), .membersRequested(_, let room): .room(room)
        case .receipted(_, let room, _), .sanctioned(_, let room, _): .room(room)
        case .drainStarted: .everyShard
        }
    }
}

/// Who waits for a reply.
public struct Requester: Hashable, Sendable {
    public enum Origin: Hashable, Sendable {
        case session(SessionID)
        /// A request of the shell's own, such as the server API's, by a number of the shell's choice.
        case service(edge: EdgeID, UInt64)
    }

    public var origin: Origin
    public var id: CommandID

    public init(_ origin: Origin, id: CommandID) {
        self.origin = origin
        self.id = id
    }
}

public struct JoinRequest: Equatable, Sendable {
    public var session: SessionID
    public var id: CommandID
    public var room: RoomID
    public var member: Member
    public var since: Position?
    public var limit: Int

    public init(
        session: SessionID, id: CommandID, room: RoomID, member: Member, since: Position? = nil, limit: Int = 0
    ) {
        self.session = session
        self.id = id
        self.room = room
        self.member = member
        self.since = since
        self.limit = limit
    }
}

/// A message that somebody wants in a room. An object, since it is handed on from the edge to the room's owner, to the
/// store and back, and never changes.
public final class Publication: Equatable, Sendable {
    public let requester: Requester
    public let draft: MessageDraft
    public let isEphemeral: Bool

    public init(requester: Requester, draft: MessageDraft, isEphemeral: Bool = false) {
        self.requester = requester
        self.draft = draft
        self.isEphemeral = isEphemeral
    }

    public static func == (left: Publication, right: Publication) -> Bool {
        left === right
            || (left.requester == right.requester && left.draft == right.draft && left.isEphemeral == right.isEphemeral)
    }
}

/// What a moderator does to a user in a room.
public struct Sanction: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Out of the room now; may come back.
        case kick
        /// May read but not write.
        case mute(minutes: UInt64)
        /// Out of the room, and may not come back.
        case ban(minutes: UInt64)
        /// Neither muted nor banned any longer.
        case pardon
    }

    public var kind: Kind
    public var user: UserID
    public var by: Member

    public init(_ kind: Kind, user: UserID, by: Member) {
        self.kind = kind
        self.user = user
        self.by = by
    }
}

/// What a moderator has done, for an audit log. Holds no text of a message.
public struct ModerationRecord: Hashable, Sendable {
    public var room: RoomID
    /// With the minutes that it has in effect.
    public var sanction: Sanction
    /// Whether the server API asked for it; else it was a session.
    public var isByService: Bool

    public init(room: RoomID, sanction: Sanction, isByService: Bool) {
        self.room = room
        self.sanction = sanction
        self.isByService = isByService
    }
}

/// How sessions are sent away when the hub stops.
public struct DrainPlan: Hashable, Sendable {
    /// The closing is spread evenly over this time.
    public var closeOver: Milliseconds
    /// Clients are told windows that spread their coming back over this time.
    public var reconnectOver: Milliseconds

    /// A day at the most for either.
    public init(closeOver: Milliseconds, reconnectOver: Milliseconds) {
        self.closeOver = min(closeOver, .seconds(86_400))
        self.reconnectOver = min(reconnectOver, .seconds(86_400))
    }
}
