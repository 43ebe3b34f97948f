internal import Glibc
internal import GoHubCore
internal import Logging

/// The edge: connections and the sessions that they carry.
extension HubLoop: ConnectionOwner {
    /// Takes an accepted socket.
    func adopt(_ descriptor: Int32, _ peer: SocketAddress) {
        lastSerial += 1
        metrics.accepted += 1
        SocketOptions.apply(to: descriptor)
        var limitKey: String?
        do {
            let tls = try settings.configuration.tls.map { try TLSEngine(context: $0.current, fd: descriptor) }
            let connection = Connection(serial: lastSerial, descriptor: descriptor, peer: peer, owner: self, tls: tls)
            // Behind a proxy the address is known with the request head.
            let isProxy = settings.configuration.trustedProxies.contains { $0.contains(peer) }
            if !isProxy, !admit(connection, address: peer.limitKey) {
                metrics.rejected += 1
                if tls == nil { Connection.refuse(descriptor, .tooManyRequests(retryAfterSeconds: 10)) }
                return discard(descriptor, limitKey: nil)
            }
            limitKey = connection.limitKey
            try connection.start()
            connections[connection.serial] = connection
        } catch {
            shared.complaints.log(
                .warning, "cannot take a connection", ["error": "\(error)", "peer": "\(peer)"], now: loop.now)
            discard(descriptor, limitKey: limitKey)
        }
    }

    /// Closes a socket that became no connection, and gives its places back.
    func discard(_ descriptor: Int32, limitKey: String?) {
        Glibc.close(descriptor)
        if let limitKey { shared.addresses.leave(limitKey) }
        shared.addresses.leave()
    }

    func admit(_ connection: Connection, address: String) -> Bool {
        guard connection.limitKey == nil else { return true }
        guard context.limiter.addressBucket(address, now: loop.now)?.admit(now: loop.now) == nil else { return false }
        guard shared.addresses.enter(address) == nil else { return false }
        connection.limitKey = address
        return true
    }

    func admitTunnel(_ connection: Connection) -> Bool {
        guard let key = connection.limitKey, shared.tunnels.enter(key) == nil else { return false }
        connection.holdsTunnelPlace = true
        return true
    }

    func opened(_ connection: Connection, credentials: Credentials?) {
        let machine = SessionStateMachine(
            id: SessionID(edge: edge, serial: connection.serial), context: context,
            address: connection.limitKey ?? connection.peer.limitKey, credentials: credentials, now: loop.now,
            at: loop.wallTime)
        connection.session = WireSession(machine, connection)
    }

    func received(_ connection: Connection, text: UnsafeRawBufferPointer) {
        guard let session = connection.session else { return }
        metrics.commands += 1
        perform(session.machine.received(text, now: loop.now, at: loop.wallTime), of: session)
    }

    func received(_ connection: Connection, binary: UnsafeRawBufferPointer) {
        guard let session = connection.session else { return }
        perform(session.machine.receivedBinary(now: loop.now), of: session)
    }

    func heard(_ connection: Connection) {
        connection.session?.machine.heard(now: loop.now)
    }

    func receivedControl(_ connection: Connection) {
        guard let session = connection.session else { return }
        perform(session.machine.receivedControl(now: loop.now), of: session)
    }

    func backlogChanged(_ connection: Connection, isBacklogged: Bool) {
        guard let session = connection.session else { return }
        perform(session.machine.backlogChanged(isBacklogged), of: session)
    }

    func ended(_ connection: Connection) {
        guard let session = connection.session else { return }
        perform(session.machine.transportClosed(), of: session)
        connection.session = nil
    }

    func closed(_ connection: Connection) {
        connections[connection.serial] = nil
        if let key = connection.limitKey {
            shared.addresses.leave(key)
            if connection.holdsTunnelPlace { shared.tunnels.leave(key) }
        }
        shared.addresses.leave()
    }

    func needsFlush(_ connection: Connection) {
        flushList.append(connection)
    }

    func schedule(_ connection: Connection, at deadline: MonotonicTime) {
        wheel.schedule(connection.serial, at: deadline)
    }

    /// Off the loop: the answer comes through the mailbox.
    func verify(_ token: String, for connection: Connection) {
        let mailbox = shared.mailboxes[index]
        let verifier = shared.verifier
        let serial = connection.serial
        Task {
            let result: Result<Credentials, TokenError>
            do throws(TokenError) {
                guard let verifier else { throw TokenError(.keysUnavailable, "this hub has no key to verify tokens") }
                result = .success(try await verifier.verify(token))
            } catch {
                result = .failure(error)
            }
            mailbox.put([.verified(serial: serial, result)])
        }
    }

    func note(_ connection: Connection, _ message: @autoclosure () -> String) {
        shared.logger.debug(
            "\(message())", metadata: ["peer": "\(connection.peer)", "connection": "\(connection.serial)"])
    }

    // MARK: Sessions

    /// Carries out what a session asks for.
    func perform(_ wanted: [SessionAction], of session: WireSession) {
        let connection = session.connection
        for action in wanted {
            // What was sent may have been too much: then the session has left its rooms, and must not enter one.
            guard connection.session === session else { return }
            switch action {
            case .send(let event): offer(EncodedEvent(event), to: session)
            case .hub(let input): route(input)
            case .verify(let token): verify(token, for: connection)
            case .enter(let room):
                var overflowed: [Connection] = []
                fanOut.enter(session, room) { overflowed.append($0) }
                drop(overflowed)
            case .exit(let room):
                var overflowed: [Connection] = []
                fanOut.exit(session, room) { overflowed.append($0) }
                drop(overflowed)
            case .pauseReading: connection.pauseReading()
            case .resumeReading: connection.resumeReading()
            case .close(let code):
                metrics.closed(code)
                connection.session = nil
                connection.close(code)
            }
        }
    }

    func offer(_ event: EncodedEvent, to session: WireSession) {
        guard session.connection.isOpen else { return }
        if session.connection.offer(event) == .overflow { drop([session.connection]) }
    }

    /// Drops those whose queue is full.
    func drop(_ slow: [Connection]) {
        for connection in slow {
            guard let session = connection.session else { continue }
            perform(session.machine.overflowed(), of: session)
        }
    }
}
