/// An input of a shard: a message from an edge, another shard or the server API to the only owner of a room or a user.
///
/// It stays in this process. Between nodes, no room and no user has an owner, so no node sends anything to a shard or
/// an edge of another: nodes learn of each other's changes from the store, and a bus carries `ClusterMessage`s, which
/// name rooms, users and nodes.
///
/// Indirect except for a publication, which is an object already: a queued input is one pointer.
package enum HubInput: Equatable, Sendable {
    // MARK: To the shard that owns the user

    /// A session has presented credentials and waits for its welcome.
    indirect case connected(SessionID, SessionKey)
    /// The session ended. It was in `rooms` rooms; each room's owner will confirm with `roomCleared`.
    indirect case disconnected(SessionID, SessionKey, rooms: Int)
    /// A room's owner has removed an ended session.
    indirect case roomCleared(SessionID, SessionKey)
    /// An event for all devices of a user.
    indirect case userAddressed(UserKey, Event)
    /// The answer to a join of a direct conversation. It takes the way of the conversation's events (`userAddressed`),
    /// and so comes after those before it.
    indirect case conversationJoined(SessionID, UserKey, Event.Joined)
    /// The server API or a moderator removes a user.
    indirect case userRemoved(UserKey, CloseCode)
    /// A user requests their rooms.
    indirect case roomsRequested(Requester, RoomsRequest)
    /// The time since when a session's client was not heard.
    indirect case idleMeasured(SessionID, Milliseconds, SessionClaims.IdlePurpose)
    /// Another hub has stored entries in a direct conversation of the user.
    indirect case directNews(UserKey, DirectNews.Item)

    // MARK: To the shard that owns the room

    indirect case joined(JoinRequest)
    /// A session leaves; without an `id` when a new token no longer grants access to the room.
    indirect case left(SessionID, RoomID, id: CommandID?)
    /// An ended session leaves a room; `roomCleared` goes to its user's owner.
    indirect case sessionEnded(SessionID, SessionKey, RoomID)
    case published(AppendRequest)
    indirect case typed(Member, RoomID, active: Bool)
    indirect case historyRequested(Requester, RoomID, HistoryRange, limit: Int)
    indirect case membersRequested(Requester, RoomID)
    /// A user's receipt.
    indirect case receipted(UserID, RoomID, Receipt)
    indirect case sanctioned(Requester, RoomID, Sanction)
    /// Another hub has stored entries in a direct conversation, and one of its users is here.
    indirect case directStored(DirectNews.Item)
    /// Another hub has stored entries in a direct conversation up to a position, and its users have them.
    indirect case directReceived(RoomID, Position)

    // MARK: From the bus, to the shard that owns the subject

    indirect case received(ClusterFrame)
    /// The node hears the topic from now on.
    indirect case subscribed(ClusterTopic)

    // MARK: To every shard

    indirect case drainStarted(DrainPlan)
    /// What this node knows of the other nodes on its database; never sent without a cluster.
    indirect case clusterChanged(ClusterView)
    /// Other hubs may have stored direct messages of which this hub will never hear.
    case directNewsLost
    /// The link to the bus is back, without subscriptions; with the node's calendar.
    case busRestored(WallTime)
    case busLost

    // MARK: To the shard that asked

    /// The bus has taken the publication with this number.
    ///
    /// - `receivers`: the other nodes to which it goes; `nil` if the bus can't count.
    case busPublished(UInt64, receivers: Int?)

    package enum Owner: Hashable, Sendable {
        case user(UserKey)
        case room(RoomID)
        case everyShard
    }

    /// The owner that must receive the input.
    package var owner: Owner {
        switch self {
        case .connected(_, let key), .disconnected(_, let key, _), .roomCleared(_, let key): .user(key.user)
        case .userAddressed(let user, _), .userRemoved(let user, _), .conversationJoined(_, let user, _): .user(user)
        case .roomsRequested(_, let request): .user(request.user)
        case .directNews(let user, _): .user(user)
        case .idleMeasured(_, _, let purpose): .user(purpose.key.user)
        case .joined(let request): .room(request.room)
        case .published(let appendRequest): .room(appendRequest.draft.room)
        case .left(_, let room, _), .sessionEnded(_, _, let room), .typed(_, let room, _): .room(room)
        case .historyRequested(_, let room, _, _), .membersRequested(_, let room): .room(room)
        case .receipted(_, let room, _), .sanctioned(_, let room, _): .room(room)
        case .directStored(let item): .room(item.room)
        case .directReceived(let room, _): .room(room)
        case .received(let frame): frame.owner
        case .subscribed(let topic): topic.owner
        case .drainStarted, .clusterChanged, .directNewsLost, .busRestored, .busLost, .busPublished: .everyShard
        }
    }
}

extension ClusterTopic {
    /// Whether shards subscribe to it, and not the node as a whole.
    package var isOfShard: Bool {
        switch self {
        case .room, .user: true
        case .all, .node: false
        }
    }

    /// The shard of a node that has the topic's subject.
    package var owner: HubInput.Owner {
        switch self {
        case .room(let room): .room(room)
        case .user(let user): .user(user)
        case .all, .node: .everyShard
        }
    }
}

extension ClusterFrame {
    /// Whether it is for a shard, and not for the node as a whole.
    package var isForShard: Bool {
        switch message {
        case .beat, .bye, .returned, .ask, .reply: false
        default: true
        }
    }

    /// The shard of a node that has the message's subject.
    package var owner: HubInput.Owner {
        switch message {
        case .claimAnswered(let answer): .user(answer.key.user)
        case .presencePart(let room, _), .presenceWantedOf(let room): .room(room)
        default: topic.owner
        }
    }
}
