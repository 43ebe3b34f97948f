extension SessionStateMachine {
    mutating func execute(
        _ command: Command, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        if case .hello(let hello) = command { return self.hello(hello, now: now, at: wallTime, into: &actions) }
        guard case .active(let identity, _) = phase else {
            guard admission.toleratesMalformed(now: now) else { return close(.tooManyViolations, into: &actions) }
            let message = "Wait for welcome first."
            return actions.append(.send(.error(id: command.id, code: .unauthorized, message: message)))
        }
        if isJoining, hold(command, into: &actions) { return }
        if case .send(let send) = command {
            return self.send(send, by: identity, now: now, at: wallTime, into: &actions)
        }
        if case .change(let change) = command {
            return self.change(change, by: identity, now: now, at: wallTime, into: &actions)
        }
        executeOther(command, by: identity, now: now, into: &actions)
    }

    private mutating func executeOther(
        _ command: Command, by identity: Identity, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        let credentials = identity.credentials
        switch command {
        case .hello, .send, .change, .pong: break
        case .refresh(let id, let token): refresh(id, token, now: now, into: &actions)
        case .join(let join): self.join([join], by: identity, now: now, into: &actions)
        case .joinMany(_, let joins):
            admission.charge(forJoins: joins.count, now: now)
            self.join(joins, by: identity, now: now, into: &actions)
        case .leave(let id, let room): leave(id, room, into: &actions)
        case .history(let id, let room, let range, let limit):
            askJoinedRoom(room, credentials, id, isPage: true, into: &actions) {
                .historyRequested($0, $1, range, limit: limit ?? 50)
            }
        case .who(let id, let room):
            askJoinedRoom(room, credentials, id, into: &actions) { .membersRequested($0, $1) }
        case .receipt(let room, let receipt):
            guard receipt.delivered > 0, let room = ownRoom(room, credentials) else { return }
            actions.append(.hub(.receipted(credentials.user, room, receipt)))
        case .rooms(let id, let after, let limit):
            let limits = context.limits
            let request = RoomsRequest(
                user: credentials.userKey, grants: credentials.grants, after: after,
                roomsMax: max(1, min(limit ?? 50, limits.roomsListedMax)), bytesMax: limits.pageBytesMax)
            ask(.roomsRequested(requester(id), request), page: id, into: &actions)
        case .upload(let upload): self.upload(upload, by: identity, now: now, into: &actions)
        case .cancelUpload(let id, let transfer): cancelUpload(id, transfer, credentials, into: &actions)
        case .typing(let room, let active):
            guard let room = writableRoom(room, credentials) else { return }
            // Typing above the room's rate is dropped without an answer.
            let bucket = rooms.first { $0.id == room }?.bucket
            guard bucket?.admit(now: now) == nil else { return }
            actions.append(.hub(.typed(identity.member, room, active: active)))
        }
    }

    // MARK: Rooms

    mutating func leave(_ id: CommandID, _ name: RoomName, into actions: inout [SessionAction]) {
        guard let room = rooms.first(where: { $0.id.name == name }) else {
            let message = "You are not in this room."
            return actions.append(.send(.error(id: id, code: .notFound, message: message)))
        }
        ask(.left(self.id, room.id, id: id), into: &actions)
    }

    /// Rooms without a grant are refused with the same text whether they exist or not.
    static let closedRoom = "Your token does not grant access to this room."

    func refuseRoom(_ id: CommandID) -> SessionAction {
        .send(.error(id: id, code: .forbidden, message: Self.closedRoom))
    }

    func readableRoom(_ name: RoomName, _ credentials: Credentials) -> RoomID? {
        let permissions = credentials.grants.permissions(of: credentials.user, in: name)
        return permissions.contains(.read) ? RoomID(tenant: credentials.tenant, name: name) : nil
    }

    /// Sends a request about a room that the session has joined, or about its user's direct conversation. Banned users
    /// and non-members learn nothing.
    private mutating func askJoinedRoom(
        _ name: RoomName, _ credentials: Credentials, _ id: CommandID, isPage: Bool = false,
        into actions: inout [SessionAction], _ question: (Requester, RoomID) -> HubInput
    ) {
        guard let room = readableRoom(name, credentials) else { return actions.append(refuseRoom(id)) }
        guard name.isDirect || rooms.contains(where: { $0.id == room && $0.isJoined }) else {
            return actions.append(.send(.error(id: id, code: .conflict, message: "Join the room first.")))
        }
        ask(question(requester(id), room), page: isPage ? id : nil, into: &actions)
    }

    /// A plain room that the session has joined and may write to, or its user's direct conversation.
    func writableRoom(_ name: RoomName, _ credentials: Credentials) -> RoomID? {
        if name.isDirect {
            let permissions = credentials.grants.permissions(of: credentials.user, in: name)
            return permissions.contains(.write) ? RoomID(tenant: credentials.tenant, name: name) : nil
        }
        return rooms.first { $0.id.name == name && $0.isJoined && $0.permissions.contains(.write) }?.id
    }

    /// A plain room that the session has joined, or its user's direct conversation.
    private func ownRoom(_ name: RoomName, _ credentials: Credentials) -> RoomID? {
        guard name.isDirect else {
            return rooms.first { $0.id.name == name && $0.isJoined && $0.permissions.contains(.read) }?.id
        }
        let permissions = credentials.grants.permissions(of: credentials.user, in: name)
        return permissions.contains(.read) ? RoomID(tenant: credentials.tenant, name: name) : nil
    }

    // MARK: Messages

    private mutating func send(
        _ send: Command.Send, by identity: Identity, now: MonotonicTime, at wallTime: WallTime,
        into actions: inout [SessionAction]
    ) {
        let sender = identity.member
        let target: (room: RoomID, permissions: Permissions)
        if case .room(let name) = send.target, !name.isDirect,
            let index = rooms.firstIndex(where: { $0.id.name == name && $0.isJoined })
        {
            if let wait = rooms[index].bucket?.admit(now: now) {
                return actions.append(
                    refuse(
                        send, .rateLimited, "The room's message rate is too high. Try again shortly.", retryAfter: wait)
                )
            }
            target = (rooms[index].id, rooms[index].permissions)
        } else {
            switch resolveTarget(send, identity.credentials) {
            case .success(let found): target = found
            case .failure(let refusal): return actions.append(refuse(send, refusal.code, refusal.message))
            }
        }
        let outcome = context.slashCommands.outcome(
            of: send.text, from: sender, in: target.room.name, permissions: target.permissions)
        guard let outcome else {
            return publish(send, send.text, in: target.room, target.permissions, sender, at: wallTime, into: &actions)
        }
        // A text that is only escaped is an ordinary message.
        guard send.files.isEmpty || send.text.utf8.starts(with: "//".utf8) else {
            let message = "Slash commands take no files. Start the text with // to send a literal slash."
            return actions.append(refuse(send, .badRequest, message))
        }
        apply(
            outcome, of: send, in: target.room, target.permissions, by: identity, now: now, at: wallTime, into: &actions
        )
    }

    private struct Refusal: Error {
        let code: ErrorCode
        let message: String
    }

    /// Resolves the target of a message that isn't for a joined room: a direct conversation, or none.
    private func resolveTarget(
        _ send: Command.Send, _ credentials: Credentials
    ) -> Result<(room: RoomID, permissions: Permissions), Refusal> {
        switch send.target {
        case .user(let user):
            let room = RoomID(tenant: credentials.tenant, name: .direct(credentials.user, user))
            return .success((room, [.read, .write]))
        case .room(let name):
            let permissions = credentials.grants.permissions(of: credentials.user, in: name)
            guard permissions.contains(name.isDirect ? .write : .read) else {
                return .failure(Refusal(code: .forbidden, message: Self.closedRoom))
            }
            guard name.isDirect else { return .failure(Refusal(code: .conflict, message: "Join the room first.")) }
            return .success((RoomID(tenant: credentials.tenant, name: name), permissions))
        }
    }

    private func refuse(
        _ send: Command.Send, _ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil
    ) -> SessionAction {
        .send(.error(id: send.id, code: code, message: message, retryAfter: retryAfter))
    }

    private mutating func publish(
        _ send: Command.Send, _ text: String, in room: RoomID, _ permissions: Permissions, _ sender: Member,
        at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard permissions.contains(.write) else {
            return actions.append(refuse(send, .forbidden, "You may not write in this room."))
        }
        guard text.utf8.count <= context.limits.textBytesMax else {
            return actions.append(refuse(send, .tooLarge, "The text is too long."))
        }
        // PostgreSQL can't store U+0000, and one client's text must not fail a batch.
        guard !text.holdsNull else {
            return actions.append(refuse(send, .badRequest, "The text must not contain U+0000."))
        }
        if !send.files.isEmpty, let refusal = refusal(ofFiles: send) {
            return actions.append(refuse(send, refusal.code, refusal.message))
        }
        let draft = MessageDraft(
            room: room, id: send.id, from: sender, receivedAt: wallTime, text: text, replyTo: send.replyTo,
            files: send.files)
        let appendRequest = AppendRequest(requester: requester(send.id), draft: draft, isEphemeral: send.isEphemeral)
        ask(.published(appendRequest), into: &actions)
    }

    /// The refusal of a message that can't have the files that it names, whether they exist or not.
    private func refusal(ofFiles send: Command.Send) -> Refusal? {
        guard !send.isEphemeral else {
            return Refusal(code: .badRequest, message: "Ephemeral messages cannot have files.")
        }
        let max = context.limits.filesPerMessageMax
        guard send.files.count <= max else {
            return Refusal(code: .tooLarge, message: "A message has at most \(max) files.")
        }
        guard Set(send.files.map(\.id)).count == send.files.count else {
            return Refusal(code: .badRequest, message: "A file is named twice.")
        }
        return nil
    }

    /// Performs the outcome of a slash command: something that the client could have requested itself.
    private mutating func apply(
        _ outcome: SlashCommand.Outcome, of send: Command.Send, in room: RoomID, _ permissions: Permissions,
        by identity: Identity, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        let (credentials, sender) = (identity.credentials, identity.member)
        switch outcome {
        case .publish(let text):
            publish(send, text, in: room, permissions, sender, at: wallTime, into: &actions)
        case .whisper(let user, let text):
            let direct = RoomID(tenant: credentials.tenant, name: .direct(credentials.user, user))
            publish(send, text, in: direct, [.read, .write], sender, at: wallTime, into: &actions)
        // As if the client had requested it: behind a join without an answer, it waits.
        case .join(let name):
            let join = Command.join(Command.Join(id: send.id, room: name, limit: 50))
            execute(join, now: now, at: wallTime, into: &actions)
        case .leave(let name):
            execute(.leave(id: send.id, room: name), now: now, at: wallTime, into: &actions)
        case .who(let name):
            askJoinedRoom(name, credentials, send.id, into: &actions) { .membersRequested($0, $1) }
        case .sanction(let kind, let user):
            ask(.sanctioned(requester(send.id), room, Sanction(kind, user: user, by: sender)), into: &actions)
        case .notice(let text): actions.append(.send(.notice(id: send.id, room: room.name, text: text)))
        case .refused(let code, let message): actions.append(refuse(send, code, message))
        }
    }

    // MARK: Asking the hub

    func requester(_ id: CommandID) -> Requester {
        Requester(.session(self.id), id: id)
    }

    /// Forwards an input that will be answered, and pauses reading when too many are unanswered.
    mutating func ask(_ input: HubInput, into actions: inout [SessionAction]) {
        commandsInFlight += 1
        actions.append(.hub(input))
        updateReading(into: &actions)
    }

    /// - Parameter page: the command's id, if the answer is a page.
    mutating func ask(_ input: HubInput, page: CommandID?, into actions: inout [SessionAction]) {
        if let page {
            pageCount += 1
            pagesInFlight[page, default: 0] += 1
        }
        ask(input, into: &actions)
    }
}

extension Command {
    /// The correlation id, for commands that have one.
    var id: CommandID? {
        switch self {
        case .refresh(let id, _), .leave(let id, _), .history(let id, _, _, _), .who(let id, _), .rooms(let id, _, _),
            .cancelUpload(let id, _):
            id
        case .join(let join): join.id
        case .joinMany(let id, _): id
        case .send(let send): send.id
        case .change(let change): change.id
        case .upload(let upload): upload.id
        case .hello, .receipt, .typing, .pong: nil
        }
    }

    /// The only room of the command; `nil` if it names none or several.
    var room: RoomName? {
        switch self {
        case .leave(_, let room), .history(_, let room, _, _), .typing(let room, _), .who(_, let room),
            .receipt(let room, _):
            room
        case .join(let join): join.room
        case .send(let send): if case .room(let room) = send.target { room } else { nil }
        case .change(let change): change.room
        case .upload(let upload): upload.room
        case .hello, .refresh, .joinMany, .rooms, .cancelUpload, .pong: nil
        }
    }
}
