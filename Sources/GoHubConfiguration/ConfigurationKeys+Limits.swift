package import GoHubCore

/// A setting that mirrors a bound of Core's `Limits`, whose value is its default.
package struct LimitKey: Sendable {
    package let key: ConfigurationKey
    package let apply: @Sendable (Int, inout Limits) -> Void

    /// Bounds above this are of no use; how they relate is for `Limits.contradictions()`.
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
        count("filesPerMessageMax", \.filesPerMessageMax, "Files that one message holds."),
        count("jsonDepthMax", \.jsonDepthMax, "How deep the JSON of a command may nest."),
        count("commandsInFlightMax", \.commandsInFlightMax, "Commands of a session that wait for their reply."),
        count("pagesInFlightMax", \.pagesInFlightMax, "Of those, joins and pages of history."),
        count("roomsPerJoinMax", \.roomsPerJoinMax, "Rooms in one `join`."),
        count("malformedPerMinuteMax", \.malformedPerMinuteMax, "Malformed commands before a session is closed."),
        count("floodedPerMinuteMax", \.floodedPerMinuteMax, "Commands above the rate before a session is closed."),
        count("refreshesPerMinuteMax", \.refreshesPerMinuteMax, "Tokens that a session may have verified in a minute."),
        count("transfersPerSessionMax", \.transfersPerSessionMax, "Uploads over a session at a time."),
        count("transferWindowBytes", \.transferWindowBytes, "Bytes of such an upload that wait to be stored."),
        count("transfersMax", \.transfersMax, "Uploads of all sessions at a time."),
        count("transfersPerUserMax", \.transfersPerUserMax, "Of those, uploads of one user on all devices."),
        count("queueBytesMax", \.queueBytesMax, "Bytes that wait for one client before it is dropped as too slow."),
        count("queueWatermarkBytes", \.queueWatermarkBytes, "Bytes that wait before a client's own commands do."),
        count("pageMessagesMax", \.pageMessagesMax, "Messages in one answer."),
        count("pageBytesMax", \.pageBytesMax, "Bytes of JSON of the messages in one answer."),
        count("membersListedMax", \.membersListedMax, "Members that are listed; more are only counted."),
        count("presenceNamesMax", \.presenceNamesMax, "Users named in one `presence`."),
        count("roomsPerSessionMax", \.roomsPerSessionMax, "Rooms that a session is in at a time."),
        count("sessionsPerUserMax", \.sessionsPerUserMax, "Sessions (devices) of a user at a time."),
        count("sessionsPerShardMax", \.sessionsPerShardMax, "Sessions that one shard (event loop) registers."),
        count("roomsPerShardMax", \.roomsPerShardMax, "Rooms that one shard keeps in memory."),
        count("membersPerRoomMax", \.membersPerRoomMax, "Sessions in one room."),
        count("sanctionsPerRoomMax", \.sanctionsPerRoomMax, "Users muted or banned in one room."),
        count("reactionKindsPerMessageMax", \.reactionKindsPerMessageMax, "Different reactions to one message."),
        count("reactionsPerUserMax", \.reactionsPerUserMax, "Reactions of one user to one message."),
        count("reactionsPerMessageMax", \.reactionsPerMessageMax, "Reactions of all users to one message."),
        count("storeRequestsInFlightMax", \.storeRequestsInFlightMax, "What one shard asks of the store at a time."),
        count("tailMessagesMax", \.tailMessagesMax, "Recent messages that a room holds ready for returning clients."),
        count("tailBytesMax", \.tailBytesMax, "Bytes of text of those messages."),
        time("helloTimeoutMs", \.helloTimeout, "From the opening of a connection to its valid `hello`."),
        time("heartbeatMs", \.heartbeat, "Silence after which the hub sends `ping`."),
        time("heartbeatGraceMs", \.heartbeatGrace, "Silence after that `ping` which closes the connection."),
        time("transferTimeoutMs", \.transferTimeout, "How long such an upload may stand still."),
        time("presenceDelayMs", \.presenceDelay, "How long comings and goings wait to be told together."),
        LimitKey(
            key: .integer(
                "limits.sanctionMinutesMax", default: Int(clamping: Limits().sanctionMinutesMax), 1...5_256_000,
                "The longest mute or ban that a moderator can ask for, in minutes.")
        ) { $1.sanctionMinutesMax = UInt64(clamping: $0) },
    ]
}

/// The two settings of one of Core's rates.
package struct RateKey: Sendable {
    package let perSecond: ConfigurationKey
    package let burst: ConfigurationKey
    package let apply: @Sendable (Rate?, inout RateLimiter.Rates) -> Void

    private static func rate(
        _ name: String, _ path: any (WritableKeyPath<RateLimiter.Rates, Rate?> & Sendable), _ subject: String
    ) -> RateKey {
        let standard = RateLimiter.Rates()[keyPath: path]
        return RateKey(
            perSecond: .integer(
                "rates.\(name)PerSecond", default: Int(clamping: standard?.count ?? 0), 0...1_000_000,
                "\(subject) in a second; 0 is no limit."),
            burst: .integer(
                "rates.\(name)Burst", default: Int(clamping: standard?.burst ?? 1), 1...1_000_000_000,
                "\(subject) at once, after a silence.")
        ) { $1[keyPath: path] = $0 }
    }

    package static let all: [RateKey] = [
        rate("connection", \.connection, "Commands of one connection"),
        rate("user", \.user, "Commands of one user on all devices"),
        rate("address", \.address, "Commands and new connections from one address"),
        rate("room", \.room, "Messages into one room"),
    ]
}
