extension SessionStateMachine {
    mutating func hello(
        _ hello: Command.Hello, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard case .awaitingHello(let verified) = phase else {
            return actions.append(.send(.error(id: nil, code: .conflict, message: "Already greeted: send hello once.")))
        }
        let device = hello.device ?? DeviceID("d-\(clusterID)")
        guard let device else { return close(.internalError, into: &actions) }
        if let verified { return register(verified, on: device, into: &actions) }
        switch context.authentication {
        case .token:
            guard let token = hello.token else {
                actions.append(.send(.error(id: nil, code: .unauthorized, message: "Hello needs a token.")))
                return close(.invalidToken, into: &actions)
            }
            phase = .verifying(device)
            actions.append(.ask(.verify(token: token)))
        case .development:
            guard let user = hello.user ?? UserID("guest-\(clusterID)") else {
                return close(.internalError, into: &actions)
            }
            let credentials = Credentials(user: user, grants: .moderator)
            register(authenticate(credentials, now: now, at: wallTime), on: device, into: &actions)
        }
    }

    /// Handles the result of verifying a token.
    mutating func verified(
        _ result: Result<Credentials, TokenError>, now: MonotonicTime, at wallTime: WallTime,
        into actions: inout [SessionAction]
    ) {
        switch (phase, result) {
        case (.verifying(let device), .success(let credentials)):
            register(authenticate(credentials, now: now, at: wallTime), on: device, into: &actions)
        case (.verifying, .failure(let error)):
            actions.append(.send(.error(id: nil, code: .unauthorized, message: error.message)))
            close(error.closeCode, into: &actions)
        case (.active(let identity, let id?), _):
            refreshed(identity, id, result, now: now, at: wallTime, into: &actions)
        default: break
        }
    }

    private mutating func register(
        _ verified: VerifiedCredentials, on device: DeviceID, into actions: inout [SessionAction]
    ) {
        let identity = Identity(verified, on: device)
        phase = .registering(identity)
        actions.append(.hub(.connected(id, identity.sessionKey)))
    }

    mutating func refresh(_ id: CommandID, _ token: String, now: MonotonicTime, into actions: inout [SessionAction]) {
        guard context.authentication == .token else {
            return actions.append(.send(.error(id: id, code: .conflict, message: "This hub does not use tokens.")))
        }
        guard case .active(let identity, refreshing: nil) = phase else {
            return actions.append(.send(.error(id: id, code: .conflict, message: "A refresh is already in progress.")))
        }
        let admitted = admission.refresh(now: now)
        guard case .passed = admitted else { return refuse(admitted, id: id, into: &actions) }
        phase = .active(identity, refreshing: id)
        actions.append(.ask(.verify(token: token)))
    }

    /// Applies a refreshed token: its expiry and grants replace the old ones. It must belong to the same user.
    private mutating func refreshed(
        _ old: Identity, _ id: CommandID, _ result: Result<Credentials, TokenError>, now: MonotonicTime,
        at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        phase = .active(old, refreshing: nil)
        switch result {
        case .failure(let error):
            let code: ErrorCode = error.code == .keysUnavailable ? .unavailable : .unauthorized
            actions.append(.send(.error(id: id, code: code, message: error.message)))
        case .success(let new):
            guard new.userKey == old.credentials.userKey else {
                let message = "The token belongs to another user."
                return actions.append(.send(.error(id: id, code: .forbidden, message: message)))
            }
            phase = .active(Identity(authenticate(new, now: now, at: wallTime), on: old.device), refreshing: nil)
            withdrawRooms(new, into: &actions)
            actions.append(.send(.refreshed(id: id, expiresAt: new.expiresAt)))
        }
    }

    /// Leaves the rooms that the new grants no longer cover.
    private mutating func withdrawRooms(_ credentials: Credentials, into actions: inout [SessionAction]) {
        for index in rooms.indices {
            rooms[index].permissions = credentials.grants.permissions(of: credentials.user, in: rooms[index].id.name)
        }
        for room in rooms where !room.permissions.contains(.read) && room.isJoined {
            actions.append(leaveWithoutRequest(room.id))
        }
    }

    /// Leaves a room without a request of the client.
    func leaveWithoutRequest(_ room: RoomID) -> SessionAction {
        .hub(.left(id, room, id: nil))
    }

    /// From here on the session's commands count as the user's.
    private mutating func authenticate(
        _ credentials: Credentials, now: MonotonicTime, at wallTime: WallTime
    ) -> VerifiedCredentials {
        admission.authenticated(credentials.userKey, by: context.limiter, now: now)
        return VerifiedCredentials(credentials, now: now, at: wallTime)
    }

    func welcome(_ identity: Identity, at wallTime: WallTime, into actions: inout [SessionAction]) {
        let credentials = identity.credentials
        let limits = context.limits
        let rate = context.limiter.rates.connection
        let welcome = Event.Welcome(
            session: clusterID, tenant: credentials.tenant, user: credentials.user, name: credentials.name,
            device: identity.device, node: context.node, serverTime: wallTime, heartbeat: limits.heartbeat,
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
    /// The close code for a connection whose `hello` contained the token.
    package var closeCode: CloseCode {
        switch code {
        case .expired: .tokenExpired
        case .keysUnavailable: .tryAgainLater
        default: .invalidToken
        }
    }
}
