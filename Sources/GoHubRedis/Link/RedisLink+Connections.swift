internal import DequeModule
package import GoHubCore

/// Connections: their beginning, their end, and what is said on them.
extension RedisLink {
    // MARK: Inputs of the shell

    /// A connection is there.
    package mutating func dialled(_ connection: Connection, now: MonotonicTime) {
        switch connection {
        case .commands: commands = CommandDialogue(introduction, limits: limits, now: now)
        case .subscriptions:
            subscriptions = SubscriptionDialogue(introduction, names: names, limits: limits, now: now)
        case .sentinel:
            guard case .sentinels(_, let master) = location.place else { return }
            sentinel = SentinelDialogue(
                master: master, credentials: location.sentinelCredentials, limits: limits, now: now)
        }
    }

    /// A connection has ended, or can't be made.
    package mutating func closed(_ connection: Connection, _ error: RedisError, now: MonotonicTime) {
        switch connection {
        // What was received before may tell more than the end: a refusal, for example.
        case .commands where commands != nil: commands?.closed(error)
        case .subscriptions where subscriptions != nil: subscriptions?.closed(error)
        case .sentinel where sentinel != nil: sentinel?.closed(error)
        case .commands, .subscriptions: lose(error, now)
        case .sentinel: loseSentinel(error, now)
        }
    }

    /// Lends memory to receive into.
    ///
    /// - Returns: what `body` returned; 0 for a connection that isn't there.
    package mutating func receive<Failure: Error>(
        _ connection: Connection, now: MonotonicTime,
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        switch connection {
        case .commands: try commands?.receive(now: now, body) ?? 0
        case .subscriptions: try subscriptions?.receive(now: now, body) ?? 0
        case .sentinel: try sentinel?.receive(now: now, body) ?? 0
        }
    }

    /// Whether there is something to send.
    package func hasOutput(_ connection: Connection) -> Bool {
        switch connection {
        case .commands: commands?.output.isEmpty == false
        case .subscriptions: subscriptions?.output.isEmpty == false
        case .sentinel: sentinel?.output.isEmpty == false
        }
    }

    /// Lends what there is to send.
    ///
    /// - Parameter body: returns the number of bytes that were sent.
    package mutating func send<Failure: Error>(
        _ connection: Connection, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        switch connection {
        case .commands:
            guard let sent = try commands?.output.withBytes(body) else { return }
            commands?.output.removeFirst(sent)
        case .subscriptions:
            guard let sent = try subscriptions?.output.withBytes(body) else { return }
            subscriptions?.output.removeFirst(sent)
        case .sentinel:
            guard let sent = try sentinel?.output.withBytes(body) else { return }
            sentinel?.output.removeFirst(sent)
        }
    }

    // MARK: Time

    /// The time of the next `timerFired`; `nil` if nothing is awaited.
    package var deadline: MonotonicTime? {
        let echoDue = echoSince.map { $0 + limits.echoTimeout }
        return [
            waitDue, connectDue, askDue, recheckDue, echoDue, commands?.deadline, subscriptions?.deadline,
            sentinel?.deadline,
        ].compactMap(\.self).min()
    }

    package mutating func timerFired(now: MonotonicTime) {
        commands?.timerFired(now: now)
        subscriptions?.timerFired(now: now)
        sentinel?.timerFired(now: now)
        if let connectDue, connectDue <= now {
            lose(RedisError(.timeout, "Redis: the server can't be reached in time."), now)
        }
        if let askDue, askDue <= now {
            loseSentinel(RedisError(.timeout, "Redis: a Sentinel can't be reached in time."), now)
        }
        if let echoSince, echoSince + limits.echoTimeout <= now {
            lose(
                RedisError(
                    .timeout,
                    "Redis: the server takes messages, but does not deliver them. It may be cut off, or no primary any "
                        + "more."), now)
        }
        if let waitDue, waitDue <= now {
            self.waitDue = nil
            perform(search.timerFired(now: now, random: random()), now)
        }
        if let recheckDue, recheckDue <= now {
            self.recheckDue = nil
            if asked == nil { perform(search.check(now: now, random: random()), now) }
        }
    }

    // MARK: Actions

    /// The next action; `nil` when there is none before the shell has something to report or the time passes.
    package mutating func next(now: MonotonicTime) -> Action? {
        while true {
            if let action = actions.popFirst() { return action }
            if let event = subscriptions?.next() {
                if let action = take(event, now) { return action }
            } else if let event = commands?.next() {
                if let action = take(event, now) { return action }
            } else if let event = sentinel?.next() {
                take(event, now)
            } else if backlogBytes > limits.backlogBytesMax {
                lose(
                    RedisError(
                        .limit,
                        "Redis: more messages wait for the server than may. It is slower than this node, or the network "
                            + "is."), now)
            } else {
                return nil
            }
        }
    }

    private mutating func take(_ event: SubscriptionDialogue.Event, _ now: MonotonicTime) -> Action? {
        switch event {
        case .connected(let server):
            greeted.subscriptions = server
            linkUp(now)
            return nil
        case .subscribed(let topics): return .report(.subscribed(topics))
        case .message(let topic): return takeMessage(topic)
        case .failed(let error):
            lose(error, now)
            return nil
        }
    }

    private mutating func takeMessage(_ topic: ClusterTopic) -> Action? {
        guard let subscriptions else { return nil }
        guard subscriptions.withPayload({ FrameCodec.sender(of: $0) }) != own.value else {
            if topic == .all { echoSince = nil }
            return nil
        }
        do throws(FrameError) {
            let frame = try subscriptions.withPayload { (bytes) throws(FrameError) in
                try codec.decode(bytes, on: topic)
            }
            return .report(.heard(frame))
        } catch {
            return .note(.ignored(error))
        }
    }

    private mutating func take(_ event: CommandDialogue.Event, _ now: MonotonicTime) -> Action? {
        switch event {
        case .connected(let server):
            greeted.commands = server
            linkUp(now)
            return nil
        case .published(let number, let receivers):
            let others = countsOwn.popFirst() == true ? max(0, receivers - 1) : receivers
            sendBacklog(now)
            return .report(.published(number: number, receivers: others))
        case .failed(let error):
            lose(error, now)
            return nil
        }
    }

    private mutating func take(_ event: SentinelDialogue.Event, _ now: MonotonicTime) {
        switch event {
        case .answered(let primary):
            (asked, askDue) = (nil, nil)
            sentinel?.watch(now: now)
            perform(search.answered(primary, now: now, random: random()), now)
        case .switched(let primary): perform(search.switched(to: primary, now: now, random: random()), now)
        case .failed(let error): loseSentinel(error, now)
        }
    }

    // MARK: Steps of the search

    mutating func perform(_ step: PrimarySearch.Step?, _ now: MonotonicTime) {
        switch step {
        case .ask(let address):
            sentinel = nil
            (asked, askDue, recheckDue, waitDue) = (address, now + limits.sentinelTimeout, nil, nil)
            actions.append(.dial(.sentinel, address))
        case .connect(let address):
            (target, connectDue, waitDue) = (address, now + limits.connectTimeout, nil)
            actions.append(.dial(.commands, address))
            actions.append(.dial(.subscriptions, address))
        case .wait(let until): waitDue = until
        case .leave:
            lose(RedisError(.notPrimary, "Redis: the primary is another server now. The link is made anew."), now)
        case .stay, nil: break
        }
    }

    /// Reports the link when both connections are there.
    private mutating func linkUp(_ now: MonotonicTime) {
        guard let one = greeted.commands, let other = greeted.subscriptions, let target else { return }
        guard one.runID == other.runID else {
            return lose(
                RedisError(
                    .notPrimary,
                    "Redis: two connections to \(target) have led to two servers. Its name must lead to the primary "
                        + "alone."), now)
        }
        (isUp, connectDue) = (true, nil)
        search.connected(now: now)
        actions.append(.note(.connected(target, one)))
        actions.append(.report(.restored))
        if sentinel == nil, asked == nil { recheckDue = now + limits.recheckAfter }
    }

    /// Ends both connections, and asks the search what is next.
    mutating func lose(_ error: RedisError, _ now: MonotonicTime) {
        guard target != nil else { return }
        (commands, subscriptions, greeted, target) = (nil, nil, (nil, nil), nil)
        (backlog, backlogBytes, countsOwn, echoSince, connectDue) = (Deque(), 0, Deque(), nil, nil)
        actions.append(.close(.commands))
        actions.append(.close(.subscriptions))
        actions.append(.note(.lost(error)))
        if isUp { actions.append(.report(.lost)) }
        isUp = false
        perform(search.lost(now: now, random: random()), now)
    }

    private mutating func loseSentinel(_ error: RedisError, _ now: MonotonicTime) {
        sentinel = nil
        actions.append(.close(.sentinel))
        guard let address = asked else {
            if isUp { recheckDue = now + limits.recheckAfter }
            return
        }
        (asked, askDue) = (nil, nil)
        actions.append(.note(.sentinelFailed(address, error)))
        perform(search.unanswered(now: now, random: random()), now)
    }
}
