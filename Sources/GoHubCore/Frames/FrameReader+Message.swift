extension FrameReader {
    /// Reads a message's fields; what follows them is a later version's.
    ///
    /// - Parameter topic: one to which the kind belongs. A claim's user, and the tenant of a direct conversation, are
    ///   the topic's.
    mutating func message(_ kind: FrameKind, on topic: ClusterTopic) throws(FrameError) -> ClusterMessage {
        switch kind {
        case .beat: return .beat(try beat())
        case .bye: return .bye
        case .returned: return .returned
        case .presenceWanted: return .presenceWanted
        case .ask:
            let number = try number()
            return .ask(number: number, try question())
        case .reply:
            let number = try number()
            return .reply(number: number, try reply())
        case .claimAnswered: return .claimAnswered(try answer())
        case .presencePart:
            let room = try room()
            return .presencePart(room, try presencePart())
        case .presenceWantedOf: return .presenceWantedOf(try room())
        case .entries: return .entries(try entries())
        case .head: return .head(Position(epoch: try epoch(), offset: try offset()))
        case .ephemeral:
            let content = try plainContent()
            return .ephemeral(content, at: try wallTime())
        case .typed:
            let user = try user()
            return .typed(user, isActive: try flag())
        case .receipts:
            let (epoch, receipts) = try receipts()
            return .receipts(epoch, receipts)
        case .presence: return .presence(try presenceUpdate())
        case .presenceIs: return .presenceIs(try presenceVersion())
        case .moderated: return .moderated(try sanction())
        case .sanctionsChanged: return .sanctionsChanged
        case .inDoubt:
            let user = try user()
            return .inDoubt(user, try commandID())
        case .claim:
            guard case .user(let user) = topic else { throw .misplaced }
            return .claim(try claim(of: user))
        case .direct:
            let room = try direct(topic)
            return .direct(room, try entries())
        case .directEphemeral:
            let room = try direct(topic)
            let content = try plainContent()
            return .directEphemeral(room, content, at: try wallTime())
        case .directTyped:
            let room = try direct(topic)
            let user = try user()
            return .directTyped(room, user, isActive: try flag())
        case .directReceipts:
            let room = try direct(topic)
            let (epoch, receipts) = try receipts()
            return .directReceipts(room, epoch, receipts)
        }
    }

    private mutating func beat() throws(FrameError) -> NodeBeat {
        let name = try named(bytesMax: NodeName.bytesMax) { NodeName($0) }
        let isDraining = try flag()
        let isBusHealthy = try optional { (reader) throws(FrameError) in try reader.flag() }
        let busID = try optional { (reader) throws(FrameError) in try reader.text(bytesMax: 64) }
        let sessions = try count(max: 1 << 31)
        let rooms = try count(max: 1 << 31)
        let status = NodeStatus(isDraining: isDraining, isBusHealthy: isBusHealthy, busID: busID)
        return NodeBeat(name, status, sessions: sessions, rooms: rooms, wall: try wallTime())
    }

    private mutating func sanction() throws(FrameError) -> Sanction {
        let user = try user()
        let by = try member()
        let kind: Sanction.Kind =
            switch try byte() {
            case FrameCase.kick: .kick
            case FrameCase.mute: .mute(minutes: try number())
            case FrameCase.ban: .ban(minutes: try number())
            case FrameCase.pardon: .pardon
            case let other: throw .unknownKind(other)
            }
        return Sanction(kind, user: user, by: by)
    }

    private mutating func question() throws(FrameError) -> ClusterQuestion {
        switch try byte() {
        case FrameCase.rooms: return .rooms(try tenant())
        case FrameCase.remove:
            let key = try userKey()
            let code = CloseCode(rawValue: UInt16(try count(max: Int(UInt16.max))))
            guard code.isValidOnTheWire else { throw .malformed }
            return .remove(key, code)
        case let other: throw .unknownKind(other)
        }
    }

    private mutating func reply() throws(FrameError) -> ClusterReply {
        switch try byte() {
        case FrameCase.rooms: return .rooms(try list { (reader) throws(FrameError) in try reader.roomName() })
        case FrameCase.remove: return .removed(sessions: try count(max: 1 << 31))
        case let other: throw .unknownKind(other)
        }
    }

    private mutating func claim(of user: UserKey) throws(FrameError) -> SessionClaim {
        let key = SessionKey(user: user, device: try device())
        let stamp = try stamp()
        switch try byte() {
        case FrameCase.new: return SessionClaim(key, stamp, .new)
        case FrameCase.again: return SessionClaim(key, stamp, .again(idle: try duration()))
        case let other: throw .unknownKind(other)
        }
    }

    private mutating func answer() throws(FrameError) -> ClaimAnswer {
        let user = try userKey()
        let key = SessionKey(user: user, device: try device())
        let claim = try stamp()
        switch try byte() {
        case FrameCase.free: return ClaimAnswer(key, claim, .free(sessions: try count(max: 1 << 31)))
        case FrameCase.clearing: return ClaimAnswer(key, claim, .clearing)
        case FrameCase.outranked:
            let by = try stamp()
            return ClaimAnswer(key, claim, .outranked(by: by, age: try duration()))
        case FrameCase.holds:
            let stamp = try stamp()
            return ClaimAnswer(key, claim, .holds(stamp, idle: try duration()))
        case FrameCase.outlived: return ClaimAnswer(key, claim, .outlived)
        case let other: throw .unknownKind(other)
        }
    }

    private mutating func presencePart() throws(FrameError) -> PresencePart {
        let version = try presenceVersion()
        let number = try count(max: 1 << 31)
        let count = try count(max: 1 << 31)
        guard number < count else { throw .malformed }
        let members = try list { (reader) throws(FrameError) in try reader.member() }
        return PresencePart(version: version, number: number, of: count, members)
    }

    private mutating func presenceUpdate() throws(FrameError) -> PresenceUpdate {
        let from = try optional { (reader) throws(FrameError) in try reader.presenceVersion() }
        let to = try presenceVersion()
        let joined = try list { (reader) throws(FrameError) in try reader.member() }
        let left = try list { (reader) throws(FrameError) in try reader.user() }
        return PresenceUpdate(from: from, to: to, joined: joined, left: left, isMove: try flag())
    }

    /// The content of a message that isn't stored.
    private mutating func plainContent() throws(FrameError) -> MessageContent {
        let content = try content()
        guard case .plain = content.kind else { throw .malformed }
        return content
    }

    /// A direct conversation of the topic's user: who may publish to one user can't speak in another's conversation.
    private mutating func direct(_ topic: ClusterTopic) throws(FrameError) -> RoomName {
        guard case .user(let key) = topic else { throw .misplaced }
        let room = try roomName()
        guard let (one, other) = room.participants, one == key.user || other == key.user else { throw .misplaced }
        return room
    }
}
