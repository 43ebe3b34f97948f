/// Joins, one or many per command, and the commands that wait for their answers.
///
/// A reconnecting client sends everything at once: a join for each room, followed by its commands. The hub gets a few
/// joins at a time, and a command for a room waits until the room's join is answered.
extension SessionStateMachine {
    /// Joins rooms. Each join gets its own answer.
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
                // One join per room at a time, so that each gets its answer.
                guard !rooms[index].isJoining else {
                    hold(.join(join), orRefuse: &actions)
                    continue
                }
                rooms[index].isJoining = true
            } else {
                let max = placesMax(isDirect: join.room.isDirect)
                guard rooms.count(where: { $0.id.name.isDirect == join.room.isDirect }) < max else {
                    let message = "A session can be in at most \(max) rooms. Leave one first."
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

    /// The maximum number of rooms of a session, or of its direct conversations with an unanswered join: twice those of
    /// a `join`, so that a `join` that arrives when the previous one is nearly complete isn't refused.
    private func placesMax(isDirect: Bool) -> Int {
        isDirect ? 2 * context.limits.roomsPerJoinMax : context.limits.roomsPerSessionMax
    }

    /// Sends the next joins to the hub, up to the limit of unanswered ones. Their answers are large, so none is sent
    /// while much is queued for the client.
    mutating func startJoins(into actions: inout [SessionAction]) {
        while isJoining, pageCount < context.limits.pagesInFlightMax, !isBacklogged,
            let request = withJoining({ $0.nextRequest() })
        {
            ask(.joined(request), page: request.id, into: &actions)
        }
    }

    // MARK: Commands behind a join

    /// Holds a command for a room whose join has no answer yet, if it came behind that join.
    ///
    /// - Returns: whether the command was handled here.
    mutating func hold(_ command: Command, into actions: inout [SessionAction]) -> Bool {
        guard let name = command.room, let room = rooms.first(where: { $0.id.name == name && $0.isJoining }) else {
            return false
        }
        switch command {
        case .join, .leave: break
        default:
            // A direct conversation has no membership to wait for, and a member who joins again is already one.
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
        let message = "Too many commands wait for this join. Send the command again after the join's reply."
        actions.append(.send(.error(id: id, code: .conflict, message: message)))
    }

    /// Sends a join's answer and performs the commands that waited for it, in order of arrival. If the join was
    /// refused, they are refused as for any room that isn't joined.
    mutating func send(
        _ answer: Event, after flush: SessionAction? = nil, andExecuteHeldFor room: RoomName, now: MonotonicTime,
        at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        func sendAnswer(_ actions: inout [SessionAction]) {
            if let flush { actions.append(flush) }
            actions.append(.send(answer))
        }
        let held = withJoining {
            $0.answered()
            return $0.takeHeld(for: room)
        }
        guard !held.isEmpty else { return sendAnswer(&actions) }
        var executed: [SessionAction] = []
        // One of them may be another join, for which the rest waits again.
        for command in held { execute(command, now: now, at: wallTime, into: &executed) }
        updateReading(into: &executed)
        // Sends come last: see `receivedFromHub`.
        actions += executed.filter { !$0.isSend }
        sendAnswer(&actions)
        actions += executed.filter(\.isSend)
    }
}

extension SessionAction {
    fileprivate var isSend: Bool { if case .send = self { true } else { false } }
}
