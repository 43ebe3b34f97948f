extension SessionStateMachine {
    /// Handles a client's change request: edit, delete or react. The room's permissions are checked here; the store
    /// checks the message's owner.
    mutating func change(
        _ change: Command.Change, by identity: Identity, now: MonotonicTime, at wallTime: WallTime,
        into actions: inout [SessionAction]
    ) {
        func refuse(_ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil) {
            actions.append(.send(.error(id: change.id, code: code, message: message, retryAfter: retryAfter)))
        }
        let credentials = identity.credentials
        var permissions = credentials.grants.permissions(of: credentials.user, in: change.room)
        if !change.room.isDirect, let index = rooms.firstIndex(where: { $0.id.name == change.room && $0.isJoined }) {
            if let wait = rooms[index].bucket?.admit(now: now) {
                return refuse(.rateLimited, "The room's message rate is too high. Try again shortly.", retryAfter: wait)
            }
            permissions = rooms[index].permissions
        } else if !permissions.contains(.read) {
            return refuse(.forbidden, Self.closedRoom)
        } else if !change.room.isDirect {
            return refuse(.conflict, "Join the room first.")
        }
        let mayModerate = permissions.contains(.moderate)
        let (kind, text): (ChangeRequest.Kind, String) =
            switch change.kind {
            case .edit(let text): (.edit, text)
            case .delete: (.delete(mayModerate: mayModerate), "")
            case .react(let reaction, let isRemoval): (.react(reaction, isRemoval: isRemoval, reactionBounds), "")
            }
        guard permissions.contains(.write) || (mayModerate && change.kind == .delete) else {
            return refuse(.forbidden, "You may not write in this room.")
        }
        guard text.utf8.count <= context.limits.textBytesMax else { return refuse(.tooLarge, "The text is too long.") }
        guard !text.holdsNull else { return refuse(.badRequest, "The text must not contain U+0000.") }
        let draft = MessageDraft(
            room: RoomID(tenant: credentials.tenant, name: change.room), id: change.id, from: identity.member,
            receivedAt: wallTime, ChangeRequest(of: change.target, kind), text: text)
        ask(.published(AppendRequest(requester: requester(change.id), draft: draft)), into: &actions)
    }

    private var reactionBounds: ChangeRequest.ReactionBounds {
        let limits = context.limits
        return ChangeRequest.ReactionBounds(
            kindsMax: limits.reactionKindsPerMessageMax, perUserMax: limits.reactionsPerUserMax,
            totalMax: limits.reactionsPerMessageMax)
    }
}
