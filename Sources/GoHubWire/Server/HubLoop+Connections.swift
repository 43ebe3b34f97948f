internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS
internal import Logging

/// The edge: connections and their lifecycle. Their input goes to their sessions (`+Sessions`).
extension HubLoop: ConnectionOwner, ConnectionServices {
    /// Adopts an accepted socket.
    func adopt(_ descriptor: Int32, _ peer: SocketAddress) {
        lastSerial += 1
        metrics.accepted += 1
        SocketOptions.apply(to: descriptor)
        var limitKey: String?
        do {
            let tls = try settings.configuration.tls.map {
                try TLSEngine(context: $0.current, fd: descriptor, through: resources.tlsSocket)
            }
            let connection = Connection(serial: lastSerial, descriptor: descriptor, peer: peer, owner: self, tls: tls)
            // Behind a proxy the address is known only with the request head.
            let isProxy = settings.configuration.trustedProxies.contains { $0.contains(peer) }
            if !isProxy, !admit(connection, address: peer.limitKey) {
                metrics.rejected += 1
                if tls == nil { Connection.refuse(descriptor, .tooManyRequests(retryAfterSeconds: 10)) }
                return discard(descriptor, limitKey: nil)
            }
            limitKey = connection.limitKey
            try connection.start()
            connections[ConnectionKey(connection.serial)] = connection
        } catch {
            shared.logThrottle.log(
                .warning, "cannot accept a connection", ["error": "\(error)", "peer": "\(peer)"], now: loop.now,
                to: shared.logger)
            discard(descriptor, limitKey: limitKey)
        }
    }

    /// Closes a socket that didn't become a connection, and frees its slots.
    func discard(_ descriptor: Int32, limitKey: String?) {
        Glibc.close(descriptor)
        if let limitKey { shared.addresses.leave(limitKey) }
        shared.addresses.leave()
    }

    func admit(_ connection: Connection, address: String) -> Bool {
        guard connection.limitKey == nil else { return true }
        guard context.limiter.addressBucket(address, now: loop.now)?.admit(now: loop.now) == nil else { return false }
        if shared.addresses.enter(address) != nil {
            // A connection that is idle between two plain HTTP requests is closed to make room.
            guard let notice = shared.slots.closeLongestResting(of: address) else { return false }
            post([notice])
            shared.addresses.replaceOne(address)
        }
        connection.limitKey = address
        return true
    }

    func opened(_ connection: Connection, credentials: Credentials?) -> ConnectionCompanion {
        let machine = SessionStateMachine(
            id: sessionID(of: connection), context: context,
            address: connection.limitKey ?? connection.peer.limitKey, credentials: credentials, now: loop.now,
            at: loop.wallTime)
        return WireSession(machine, connection)
    }

    /// The id of the connection's session, before and after there is one, too.
    private func sessionID(of connection: Connection) -> SessionID {
        SessionID(edge: edge, serial: connection.serial)
    }

    func received(_ connection: Connection, _ companion: ConnectionCompanion, text: UnsafeRawBufferPointer) {
        metrics.commands += 1
        drive(.of(companion)) { $0.received(text, now: loop.now, at: loop.wallTime, into: &$1) }
    }

    func received(_ connection: Connection, _ companion: ConnectionCompanion, binary: UnsafeRawBufferPointer) {
        drive(.of(companion)) { $0.received(binary: binary, now: loop.now, into: &$1) }
    }

    func noteActivity(_ companion: ConnectionCompanion) {
        WireSession.of(companion).machine.noteActivity(now: loop.now)
    }

    func receivedControl(_ companion: ConnectionCompanion) {
        drive(.of(companion)) { $0.receivedControl(now: loop.now, into: &$1) }
    }

    func overflowed(_ connection: Connection) {
        slow.append(connection)
        dropSlow()
    }

    func backlogChanged(_ companion: ConnectionCompanion, isBacklogged: Bool) {
        drive(.of(companion)) { $0.backlogChanged(isBacklogged, into: &$1) }
    }

    /// Not `drive`, which stops when the conversation has ended.
    func ended(_ companion: ConnectionCompanion) {
        let session = WireSession.of(companion)
        var last: [SessionAction] = []
        session.machine.transportClosed(into: &last)
        for action in last { carryOut(action, of: session) }
    }

    func closed(_ connection: Connection) {
        connections[ConnectionKey(connection.serial)] = nil
        if let key = connection.limitKey { shared.addresses.leave(key) }
        shared.addresses.leave()
    }

    // MARK: Plain HTTP

    private func holder(_ connection: Connection) -> HTTPSlots.Holder {
        HTTPSlots.Holder(loop: index, serial: connection.serial)
    }

    func takeSlot(_ connection: Connection) -> HTTPSlots.Answer {
        let (answer, notices) = shared.slots.take(
            holder(connection), of: connection.limitKey ?? connection.peer.limitKey)
        post(notices)
        return answer
    }

    func settleSlot(_ connection: Connection) {
        post(shared.slots.settle(holder(connection)))
    }

    func restSlot(_ connection: Connection) -> UInt64 {
        let (turn, notices) = shared.slots.rest(holder(connection))
        post(notices)
        return turn
    }

    func releaseSlot(_ connection: Connection) {
        post(shared.slots.leave(holder(connection)))
    }

    /// Uses the mailbox for this loop's own notices, too: a connection may be in the middle of a call.
    private func post(_ notices: [HTTPSlots.Notice]) {
        for notice in notices { outboxes[notice.holder.loop].append(.slot(notice)) }
    }

    func noticed(_ notice: HTTPSlots.Notice) {
        guard let connection = connections[ConnectionKey(notice.holder.serial)],
            case .http(let relay) = connection.phase
        else { return }
        switch notice.kind {
        case .granted: relay.slotGranted()
        case .tunnelLost(let turn): relay.tunnelLost(turn: turn)
        case .closed(let turn): relay.makeWay(turn: turn)
        }
    }

    // MARK: Loop

    func needsFlush(_ connection: Connection) {
        flushList.append(connection)
    }

    func schedule(_ connection: Connection, at deadline: MonotonicTime) {
        wheel.schedule(connection.serial, at: deadline)
    }

    func verify(_ token: String, for connection: Connection) {
        ask(.verify(token: token), for: connection)
    }

    func note(_ connection: Connection, _ message: @autoclosure () -> String) {
        shared.logger.debug(
            "\(message())",
            metadata: [
                "peer": "\(connection.peer)",
                "connection": "\(ClusterSessionID(node: context.incarnation, session: sessionID(of: connection)))",
            ])
    }
}
