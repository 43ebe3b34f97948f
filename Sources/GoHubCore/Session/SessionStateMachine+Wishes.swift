extension SessionStateMachine {
    /// Handles a client's change request: edit, delete or react. The room's permissions are checked here; the store
    /// checks the message's owner.
    mutating func wish(
        _ wish: Command.Wish, by identity: Identity, now: MonotonicTime, at wallTime: WallTime,
        into actions: inout [SessionAction]
    ) {
        func refuse(_ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil) {
            actions.append(.send(.error(id: wish.id, code: code, message: message, retryAfter: retryAfter)))
        }
        let credentials = identity.credentials
        var permissions = credentials.grants.permissions(of: credentials.user, in: wish.room)
        if !wish.room.isDirect, let index = rooms.firstIndex(where: { $0.id.name == wish.room && $0.isJoined }) {
            if let wait = rooms[index].bucket?.admit(now: now) {
                return refuse(.rateLimited, "The room's message rate is too high. Try again shortly.", retryAfter: wait)
            }
            permissions = rooms[index].permissions
        } else if !permissions.contains(.read) {
            return refuse(.forbidden, Self.closedRoom)
        } else if !wish.room.isDirect {
            return refuse(.conflict, "Join the room first.")
        }
        let mayModerate = permissions.contains(.moderate)
        let (kind, text): (Wish.Kind, String) =
            switch wish.kind {
            case .edit(let text): (.edit, text)
            case .delete: (.delete(mayModerate: mayModerate), "")
            case .react(let reaction, let isRemoval): (.react(reaction, isRemoval: isRemoval, reactionBounds), "")
            }
        guard permissions.contains(.write) || (mayModerate && wish.kind == .delete) else {
            return refuse(.forbidden, "You may not write in this room.")
        }
        guard text.utf8.count <= context.limits.textBytesMax else { return refuse(.tooLarge, "The text is too long.") }
        guard !text.holdsNull else { return refuse(.badRequest, "The text must not contain U+0000.") }
        let draft = MessageDraft(
            room: RoomID(tenant: credentials.tenant, name: wish.room), id: wish.id, from: identity.member,
            receivedAt: wallTime, Wish(of: wish.target, kind), text: text)
        ask(.published(Publication(requester: requester(wish.id), draft: draft)), into: &actions)
    }

    private var reactionBounds: Wish.ReactionBounds {
        let limits = context.limits
        return Wish.ReactionBounds(
            kindsMax: limits.reactionKindsPerMessageMax, perUserMax: limits.reactionsPerUserMax,
            totalMax: limits.reactionsPerMessageMax)
    }
}
