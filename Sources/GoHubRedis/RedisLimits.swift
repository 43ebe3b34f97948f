package import GoHubCore

/// The bounds and times of the connections to Redis, each with its unit and its reason.
package struct RedisLimits: Hashable, Sendable {
    package var resp = RESPLimits()

    // MARK: Publishing

    /// Messages that the server hasn't answered.
    package var publishesInFlightMax = 16 * 1024
    /// Bytes of those messages, sent or not. Beyond it, the sender waits, and its queue decides what to give up.
    package var publishBytesInFlightMax = 8 * 1024 * 1024

    /// Bytes of messages that wait for those in flight. Beyond it, the link is given up: the server is slower than this
    /// node, and the store tells what is lost.
    package var backlogBytesMax = 16 * 1024 * 1024

    /// Bytes of messages that wait for the bus thread. Beyond it, the link is given up, too: the thread is slower than
    /// the node's loops.
    package var mailboxBytesMax = 16 * 1024 * 1024

    // MARK: Subscribing

    /// Channels of one connection.
    package var channelsMax = 2_000_000
    /// Channels in one command. A larger command keeps Redis from its other clients for longer than a millisecond.
    package var channelsPerCommandMax = 512
    /// Channels whose confirmation hasn't come. Redis counts confirmations as unread output of a subscriber, which it
    /// disconnects beyond 8 MiB for a minute, with its own settings; these have less than 1 MiB, with usual names.
    package var channelsInFlightMax = 8 * 1024

    // MARK: Times

    /// The longest silence of a server that owes a reply.
    package var answerTimeout: Milliseconds = 3_000
    /// The time between two looks at the server's role: a primary may become a replica, and go on answering.
    package var roleEvery: Milliseconds = 5_000
    /// The longest time until a node's own message to all comes back: a server may take messages, and deliver none.
    package var echoTimeout: Milliseconds = 3_000
    /// Silence of a subscription after which the server is asked whether it is there. The node's own beat comes back
    /// every second, so this is rare.
    package var pingAfter: Milliseconds = 5_000
    /// The longest wait for the answer of a Sentinel, including the connection. There are others.
    package var sentinelTimeout: Milliseconds = 1_000
    /// The longest time to connect, to the greeting's end.
    package var connectTimeout: Milliseconds = 5_000
    /// The time that sent bytes may stay unacknowledged before the system ends a connection.
    package var userTimeout: Milliseconds = 5_000
    /// The longest wait for the answers to the last messages, when the node ends.
    package var stopTimeout: Milliseconds = 500
    /// The first and the longest wait between two rounds of attempts.
    package var backoff = Backoff(min: 100, max: 2_000)
    /// The same while Sentinels are asked: during a failover they know the new primary within a second.
    package var sentinelBackoff = Backoff(min: 100, max: 1_000)
    /// A connection that lasted this long was a success: the waits begin anew.
    package var stableAfter: Milliseconds = 5_000
    /// The time until Sentinels are asked again when the connection that brings their news is lost.
    package var recheckAfter: Milliseconds = 10_000
    /// The time between two reactions to nodes on another server.
    package var rivalsEvery: Milliseconds = 5_000

    // MARK: Sockets

    /// Hosts that are looked up at a time, each on a thread of its own.
    package var lookupsMax = 8
    /// Addresses of a host that are tried.
    package var addressesMax = 8
    /// Calls to receive from one connection before the others have their turn. Each takes up to `resp.bufferBytes`.
    package var receivesPerTurnMax = 16

    package init() {}

    /// Checks the relations between the bounds.
    ///
    /// - Returns: one sentence for each contradiction; empty when the limits are consistent.
    package func contradictions() -> [String] {
        var found = resp.contradictions()
        func require(_ holds: Bool, _ sentence: String) {
            if !holds { found.append(sentence) }
        }
        for (name, value) in [
            ("publishesInFlightMax", publishesInFlightMax), ("publishBytesInFlightMax", publishBytesInFlightMax),
            ("channelsMax", channelsMax), ("channelsPerCommandMax", channelsPerCommandMax),
            ("mailboxBytesMax", mailboxBytesMax), ("lookupsMax", lookupsMax), ("addressesMax", addressesMax),
            ("receivesPerTurnMax", receivesPerTurnMax),
        ] {
            require(value >= 1, "\(name) must be at least 1")
        }
        require(
            channelsPerCommandMax <= channelsInFlightMax, "channelsInFlightMax must be at least channelsPerCommandMax")
        require(userTimeout.value > 0, "userTimeout must be more than 0")
        require(answerTimeout.value > 0, "answerTimeout must be more than 0")
        require(sentinelTimeout <= connectTimeout, "connectTimeout must be at least sentinelTimeout")
        require(answerTimeout < connectTimeout, "connectTimeout must be more than answerTimeout")
        return found
    }
}
