package import GoHubCore

/// A setting that mirrors a bound of Core's `Limits`, whose value is its default.
package struct LimitKey: Sendable {
    package let key: ConfigurationKey
    /// Sets the bound to the key's value.
    package let apply: @Sendable (Int, inout Limits) -> Void

    /// Bounds above this are useless; `Limits.contradictions()` checks their relations.
    private static let boundMax = 1_000_000_000

    private static func count(
        _ name: String, _ path: any (WritableKeyPath<Limits, Int> & Sendable), _ meaning: String
    ) -> LimitKey {
        let key = ConfigurationKey.integer(
            "limits.\(name)", default: Limits()[keyPath: path], 0...boundMax, meaning)
        return LimitKey(key: key) { $1[keyPath: path] = $0 }
    }

    private static func time(
        _ name: String, _ path: any (WritableKeyPath<Limits, Milliseconds> & Sendable), _ meaning: String
    ) -> LimitKey {
        let key = ConfigurationKey.integer(
            "limits.\(name)", default: Int(clamping: Limits()[keyPath: path].value), 0...86_400_000, meaning)
        return LimitKey(key: key) { $1[keyPath: path] = Milliseconds(UInt64(clamping: $0)) }
    }

    package static let all: [LimitKey] = [
        count("messageBytesMax", \.messageBytesMax, "A whole WebSocket message from a client, in bytes."),
        count("textBytesMax", \.textBytesMax, "The text of a chat message, in bytes of UTF-8."),
        count("filesPerMessageMax", \.filesPerMessageMax, "Files of one message."),
        count("jsonDepthMax", \.jsonDepthMax, "The nesting depth of a command's JSON."),
        count("commandsInFlightMax", \.commandsInFlightMax, "Commands of a session that wait for a reply."),
        count("pagesInFlightMax", \.pagesInFlightMax, "Joins and history requests among those commands."),
        count("roomsPerJoinMax", \.roomsPerJoinMax, "Rooms in one `join`."),
        count("malformedPerMinuteMax", \.malformedPerMinuteMax, "Malformed commands before a session is closed."),
        count("floodedPerMinuteMax", \.floodedPerMinuteMax, "Commands above the rate before a session is closed."),
        count("refreshesPerMinuteMax", \.refreshesPerMinuteMax, "Token refreshes of a session per minute."),
        count("transfersPerSessionMax", \.transfersPerSessionMax, "Concurrent uploads of a session."),
        count("transferWindowBytes", \.transferWindowBytes, "Bytes of such an upload that can wait to be stored."),
        count("transfersMax", \.transfersMax, "Concurrent uploads of all sessions."),
        count("transfersPerUserMax", \.transfersPerUserMax, "Concurrent uploads of one user on all devices."),
        count(
            "queueBytesMax", \.queueBytesMax,
            "Bytes queued for one client, above which it is closed as a slow consumer."),
        count(
            "queueWatermarkBytes", \.queueWatermarkBytes, "Bytes queued for one client, above which commands wait."),
        count("pageMessagesMax", \.pageMessagesMax, "Messages in one answer."),
        count("pageBytesMax", \.pageBytesMax, "Bytes of JSON of the messages in one answer."),
        count("membersListedMax", \.membersListedMax, "Members listed in one answer; further ones are only counted."),
        count("presenceNamesMax", \.presenceNamesMax, "Users named in one `presence`."),
        count("roomsPerSessionMax", \.roomsPerSessionMax, "Rooms that a session can be in."),
        count("sessionsPerUserMax", \.sessionsPerUserMax, "Concurrent sessions (devices) of a user."),
        count("sessionsPerShardMax", \.sessionsPerShardMax, "Sessions that one shard (event loop) registers."),
        count("roomsPerShardMax", \.roomsPerShardMax, "Rooms that one shard keeps in memory."),
        count("membersPerRoomMax", \.membersPerRoomMax, "Sessions in one room."),
        count("sanctionsPerRoomMax", \.sanctionsPerRoomMax, "Users muted or banned in one room."),
        count("reactionKindsPerMessageMax", \.reactionKindsPerMessageMax, "Different reactions to one message."),
        count("reactionsPerUserMax", \.reactionsPerUserMax, "Reactions of one user to one message."),
        count("reactionsPerMessageMax", \.reactionsPerMessageMax, "Reactions of all users to one message."),
        count("storeRequestsInFlightMax", \.storeRequestsInFlightMax, "Concurrent store requests of one shard."),
        count(
            "tailMessagesMax", \.tailMessagesMax, "Recent messages that a room keeps in memory for returning clients."),
        count("tailBytesMax", \.tailBytesMax, "Bytes of text of those messages."),
        time("helloTimeoutMs", \.helloTimeout, "The time limit from opening a connection to a valid `hello`."),
        time("heartbeatMs", \.heartbeat, "The idle time after which the hub sends `ping`."),
        time("heartbeatGraceMs", \.heartbeatGrace, "The idle time after that `ping` until the connection is closed."),
        time("transferTimeoutMs", \.transferTimeout, "The time without progress after which such an upload ends."),
        time(
            "presenceDelayMs", \.presenceDelay,
            "The time over which joins and leaves are collected into one `presence`."),
        LimitKey(
            key: .integer(
                "limits.sanctionMinutesMax", default: Int(clamping: Limits().sanctionMinutesMax), 1...5_256_000,
                "The longest mute or ban, in minutes.")
        ) { $1.sanctionMinutesMax = UInt64(clamping: $0) },
    ]
}

/// The two settings of one of Core's rates.
package struct RateKey: Sendable {
    package let perSecond: ConfigurationKey
    /// Used only where `perSecond` isn't 0.
    package let burst: ConfigurationKey
    /// Sets the rate; `nil` for no limit.
    package let apply: @Sendable (RateLimiter.Rate?, inout RateLimiter.Rates) -> Void

    private static func rate(
        _ name: String, _ path: any (WritableKeyPath<RateLimiter.Rates, RateLimiter.Rate?> & Sendable),
        _ subject: String
    ) -> RateKey {
        let standard = RateLimiter.Rates()[keyPath: path]
        return RateKey(
            perSecond: .integer(
                "rates.\(name)PerSecond", default: Int(clamping: standard?.count ?? 0), 0...1_000_000,
                "\(subject) per second; 0 is no limit."),
            burst: .integer(
                "rates.\(name)Burst", default: Int(clamping: standard?.burst ?? 1), 1...1_000_000_000,
                "\(subject) in one burst.")
        ) { $1[keyPath: path] = $0 }
    }

    package static let all: [RateKey] = [
        rate("connection", \.connection, "Commands of one connection"),
        rate("user", \.user, "Commands of one user on all devices"),
        rate("address", \.address, "Commands and new connections from one address"),
        rate("room", \.room, "Messages into one room"),
    ]
}
