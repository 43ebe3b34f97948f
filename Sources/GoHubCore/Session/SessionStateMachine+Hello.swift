extension SessionStateMachine {
    mutating func hello(
        _ hello: Command.Hello, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard phase == .awaitingHello else {
            return actions.append(.send(.error(id: nil, code: .conflict, message: "hello was said already")))
        }
        let device = hello.device ?? DeviceID("d-\(id)")
        guard let device else { return close(.internalError, into: &actions) }
        if credentials == nil {
            switch context.authentication {
            case .token:
                guard let token = hello.token else {
                    let error = Event.error(id: nil, code: .unauthorized, message: "hello needs a token")
                    actions.append(.send(error))
                    return close(.invalidToken, into: &actions)
                }
                phase = .verifying(device: device)
                return actions.append(.verify(token: token))
            case .development:
                guard let user = hello.user ?? UserID("guest-\(id)") else {
                    return close(.internalError, into: &actions)
                }
                adopt(Credentials(user: user, grants: .moderator), now: now, at: wallTime)
            }
        }
        register(device, into: &actions)
    }

    /// The shell has the result of a `.verify`.
    public mutating func verified(
        _ result: Result<Credentials, TokenError>, now: MonotonicTime, at wallTime: WallTime,
        into actions: inout [SessionAction]
    ) {
        switch (phase, result) {
        case (.verifying(let device), .success(let credentials)):
            adopt(credentials, now: now, at: wallTime)
            register(device, into: &actions)
        case (.verifying, .failure(let error)):
            actions.append(.send(.error(id: nil, code: .unauthorized, message: error.message)))
            close(error.closeCode, into: &actions)
        case (.active, _): refreshed(result, now: now, at: wallTime, into: &actions)
        default: break
        }
    }

    private mutating func register(_ device: DeviceID, into actions: inout [SessionAction]) {
        self.device = device
        phase = .registering
        guard let key = sessionKey else { return close(.internalError, into: &actions) }
        actions.append(.hub(.connected(id, key)))
    }

    mutating func refresh(_ id: CommandID, _ token: String, now: MonotonicTime, into actions: inout [SessionAction]) {
        guard context.authentication == .token else {
            return actions.append(.send(.error(id: id, code: .conflict, message: "this hub uses no tokens")))
        }
        guard refreshing == nil else {
            return actions.append(.send(.error(id: id, code: .conflict, message: "a refresh is under way")))
        }
        guard refreshes.spend(now: now) else { return refuseFlood(10_000, id: id, now: now, into: &actions) }
        refreshing = id
        actions.append(.verify(token: token))
    }

    /// A new token replaces the old one's expiry and grants; it must speak for the same user.
    private mutating func refreshed(
        _ result: Result<Credentials, TokenError>, now: MonotonicTime, at wallTime: WallTime,
        into actions: inout [SessionAction]
    ) {
        guard let id = refreshing else { return }
        refreshing = nil
        switch result {
        case .failure(let error):
            let code: ErrorCode = error.code == .keysUnavailable ? .unavailable : .unauthorized
            actions.append(.send(.error(id: id, code: code, message: error.message)))
        case .success(let new):
            guard new.userKey == credentials?.userKey else {
                let message = "the token is another user's"
                return actions.append(.send(.error(id: id, code: .forbidden, message: message)))
            }
            adopt(new, now: now, at: wallTime)
            withdrawRooms(new, into: &actions)
            actions.append(.send(.refreshed(id: id, expiresAt: new.expiresAt)))
        }
    }

    /// Leaves the rooms that new grants no longer open.
    private mutating func withdrawRooms(_ credentials: Credentials, into actions: inout [SessionAction]) {
        for index in rooms.indices {
            rooms[index].permissions = credentials.grants.permissions(of: credentials.user, in: rooms[index].id.name)
        }
        for room in rooms where !room.permissions.contains(.read) && room.isJoined {
            actions.append(withdraw(room.id))
        }
    }

    /// Leaves a room that the client didn't ask to leave.
    func withdraw(_ room: RoomID) -> SessionAction {
        .hub(.left(id, room, id: nil))
    }

    /// Takes on who the session speaks for, and until when.
    mutating func adopt(_ credentials: Credentials, now: MonotonicTime, at wallTime: WallTime) {
        self.credentials = credentials
        member = Member(user: credentials.user, name: credentials.name)
        userBucket = context.limiter.userBucket(credentials.userKey, now: now)
        expiresAt = credentials.expiresAt.map { expiry in
            let left = UInt64(clamping: expiry.milliseconds - min(expiry.milliseconds, wallTime.milliseconds))
            return now + Milliseconds(left)
        }
    }

    func welcome(at wallTime: WallTime, into actions: inout [SessionAction]) {
        guard let credentials, let device else { return }
        let limits = context.limits
        let rate = context.limiter.rates.connection
        let welcome = Event.Welcome(
            session: id, tenant: credentials.tenant, user: credentials.user, name: credentials.name,
            device: device, node: context.node, serverTime: wallTime, heartbeat: limits.heartbeat,
            expiresAt: credentials.expiresAt,
            limits: Event.WelcomeLimits(
                messageBytes: limits.messageBytesMax, textBytes: limits.textBytesMax,
                rooms: limits.roomsPerSessionMax, roomsPerJoin: limits.roomsPerJoinMax,
                pageMessages: limits.pageMessagesMax,
                commandsInFlight: limits.commandsInFlightMax,
                commandsPerMinute: rate.map { $0.count * 60_000 / $0.period.value } ?? 0,
                commandsBurst: rate?.burst ?? 0))
        actions.append(.send(.welcome(welcome)))
    }
}

extension TokenError {
    /// What a connection is closed with whose `hello` held the token.
    public var closeCode: CloseCode {
        switch code {
        case .expired: .tokenExpired
        case .keysUnavailable: .tryAgainLater
        default: .invalidToken
        }
    }
}
