/// Joins, one or many in a command, and what waits for their answers.
///
/// A client that comes back says everything at once: a join of each room, and behind it what it has to say there. The
/// hub is asked for a few joins at a time, and what a client says in a room waits until the room's join is answered.
extension SessionStateMachine {
    /// The session wants into rooms. Each join gets an answer of its own.
    mutating func join(
        _ joins: [Command.Join], by identity: Identity, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        let credentials = identity.credentials
        for join in joins {
            guard let room = readableRoom(join.room, credentials) else {
                actions.append(refuseRoom(join.id))
                continue
            }
            if let index = rooms.firstIndex(where: { $0.id == room }) {
                // One join of a room at a time, so that each gets its answer.
                guard !rooms[index].isJoining else {
                    hold(.join(join), orRefuse: &actions)
                    continue
                }
                rooms[index].isJoining = true
            } else {
                let max = placesMax(isDirect: join.room.isDirect)
                guard rooms.count(where: { $0.id.name.isDirect == join.room.isDirect }) < max else {
                    let message = "no more than \(max) rooms at a time"
                    actions.append(.send(.error(id: join.id, code: .tooLarge, message: message)))
                    continue
                }
                rooms.append(
                    JoinedRoom(
                        id: room, permissions: credentials.grants.permissions(of: credentials.user, in: join.room),
                        bucket: context.limiter.roomBucket(room, now: now), isJoined: false, isJoining: true))
            }
            let request = JoinRequest(
                session: id, id: join.id, room: room, member: identity.member, since: join.since,
                limit: max(0, min(join.limit ?? 0, context.limits.pageMessagesMax)))
            withJoining { $0.add(request) }
        }
        startJoins(into: &actions)
    }

    /// How many rooms the session may be in, or direct conversations it may have asked for and got no answer about. Of a
    /// `join` that comes when the last one is nearly through none is refused.
    private func placesMax(isDirect: Bool) -> Int {
        isDirect ? 2 * context.limits.roomsPerJoinMax : context.limits.roomsPerSessionMax
    }

    /// Asks the hub for the next joins, as many as may be unanswered at a time. Their answers are large: while much waits
    /// for the client, none is asked for.
    mutating func startJoins(into actions: inout [SessionAction]) {
        while isJoining, pageCount < context.limits.pagesInFlightMax, !isBacklogged,
            let request = withJoining({ $0.nextRequest() })
        {
            ask(.joined(request), page: request.id, into: &actions)
        }
    }

    /// Rooms of a `join` that cost as much as a command.
    private static let joinsPerCommand = 4

    /// Counts a `join` of many rooms as several commands. The first one is counted already.
    func charge(forJoins count: Int, now: MonotonicTime) {
        let cost = count / Self.joinsPerCommand
        for bucket in [connectionBucket, userBucket, addressBucket] { bucket?.charge(cost, now: now) }
    }

    // MARK: Commands behind a join

    /// Holds a command back, if it is for a room whose join has no answer, and came behind that join.
    ///
    /// - Returns: whether the command has been taken care of.
    mutating func hold(_ command: Command, into actions: inout [SessionAction]) -> Bool {
        guard let name = command.room, let room = rooms.first(where: { $0.id.name == name && $0.isJoining }) else {
            return false
        }
        switch command {
        case .join, .leave: break
        default:
            // A direct conversation has no membership to wait for, and a member who asks again is one already.
            guard !name.isDirect, !room.isJoined || joining.holds(name) else { return false }
        }
        hold(command, orRefuse: &actions)
        return true
    }

    private mutating func hold(_ command: Command, orRefuse actions: inout [SessionAction]) {
        let waiting = commandsInFlight + joining.heldCount
        guard waiting >= context.limits.commandsInFlightMax || joining.isFull(context.limits) else {
            withJoining { $0.hold(command) }
            return updateReading(into: &actions)
        }
        guard let id = command.id else { return }
        let message = "too many commands wait for this join; say it again after its answer"
        actions.append(.send(.error(id: id, code: .conflict, message: message)))
    }

    /// Sends a join's answer, and carries out what waited for it, in the order in which it came. If the join was refused,
    /// the commands are refused as for any room that isn't joined.
    mutating func send(
        _ answer: Event, andExecuteHeldFor room: RoomName, now: MonotonicTime, at wallTime: WallTime,
        into actions: inout [SessionAction]
    ) {
        let held = withJoining {
            $0.answered()
            return $0.takeHeld(for: room)
        }
        guard !held.isEmpty else { return actions.append(.send(answer)) }
        var executed: [SessionAction] = []
        // One of them may be another join, for which the rest waits again.
        for command in held { execute(command, now: now, at: wallTime, into: &executed) }
        updateReading(into: &executed)
        // What is sent comes last: see `told`.
        actions += executed.filter { !$0.isSend }
        actions.append(.send(answer))
        actions += executed.filter(\.isSend)
    }
}

extension SessionAction {
    fileprivate var isSend: Bool { if case .send = self { true } else { false } }
}
