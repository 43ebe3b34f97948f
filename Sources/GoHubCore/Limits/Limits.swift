/// The bounds of the hub in one place, each with its unit and its reason; those of connections are the transport's.
///
/// `contradictions()` tells how they must relate, so that a configuration which can't work is refused at the start and
/// not found out under load.
public struct Limits: Hashable, Sendable {
    // MARK: What one client sends

    /// A whole WebSocket message. Room for a text of `textBytesMax` with every character escaped.
    public var messageBytesMax = 64 * 1024
    /// The text of a chat message, in bytes of UTF-8.
    public var textBytesMax = 8 * 1024
    /// Files that one message holds.
    public var filesPerMessageMax = 10
    /// How deep the JSON of a command may nest; ours needs three.
    public var jsonDepthMax = 8
    /// Commands of a session that wait for their reply, before its reading pauses. Those that wait behind a join that has
    /// no answer count, too; their texts are bounded by `queueWatermarkBytes`.
    public var commandsInFlightMax = 64
    /// Of those, joins and pages of history, whose answers are large: together with the watermark they fit the queue, so
    /// that a client which comes back to many rooms at once isn't dropped for its own answers.
    public var pagesInFlightMax = 4
    /// Rooms in one `join`. The hub asks for `pagesInFlightMax` of them at a time.
    public var roomsPerJoinMax = 100
    /// Malformed commands that a session may send in a minute; the next one closes it with 4502.
    public var malformedPerMinuteMax = 20
    /// Commands above the rate that are answered in a minute; the next one closes the session with 4004.
    public var floodedPerMinuteMax = 200
    /// Tokens that one session may have verified in a minute: verification costs more than anything else it can ask.
    public var refreshesPerMinuteMax = 6

    /// Uploads of a session at a time, over its WebSocket.
    public var transfersPerSessionMax = 4
    /// Bytes of an upload that may have come and not be stored.
    public var transferWindowBytes = 256 * 1024

    // MARK: What one client is sent

    /// Bytes that wait for one client; above it the client is dropped with 4001.
    public var queueBytesMax = 1024 * 1024
    /// Bytes above which the client's own commands aren't read, until half of it is taken.
    public var queueWatermarkBytes = 256 * 1024
    /// Messages in one `joined` or `page`.
    public var pageMessagesMax = 500
    /// Bytes of JSON of the messages in one `joined` or `page`, of which one always fits. Far enough below the queue's bound
    /// that its answers alone never drop the client that asked for them.
    public var pageBytesMax = 128 * 1024
    /// Members listed in `joined` and `members`; more are counted only.
    public var membersListedMax = 200
    /// Users named in one `presence`; what doesn't fit goes into the next.
    public var presenceNamesMax = 100
    /// Users with a receipt in a room, above which it tells nobody those of others: each may change with every message,
    /// and would be told to all.
    public var receiptUsersMax = 200
    /// Rooms in one answer to `rooms`.
    public var roomsListedMax = 100

    // MARK: How many

    /// Rooms that a session is in at a time.
    public var roomsPerSessionMax = 100
    /// Sessions (devices) of a user at a time.
    public var sessionsPerUserMax = 20
    /// Sessions that one shard registers.
    public var sessionsPerShardMax = 1_000_000
    /// Rooms that one shard keeps in memory.
    public var roomsPerShardMax = 100_000
    /// Members (sessions) of one room.
    public var membersPerRoomMax = 100_000
    /// Users muted or banned in one room.
    public var sanctionsPerRoomMax = 1_000
    /// Mutes and bans that are read of a room: as many as may ever have been stored, under a higher limit too, so that none is
    /// passed over.
    public var sanctionsReadMax: Int { max(sanctionsPerRoomMax, 100_000) }
    /// Uploads of all sessions at a time. With the window of each they bound the bytes that wait for the disk: 64 MiB.
    public var transfersMax = 256
    /// Of those, uploads of one user on all devices.
    public var transfersPerUserMax = 16
    /// Messages and reads that one shard has asked of the store and not yet got an answer to.
    public var storeRequestsInFlightMax = 10_000
    /// Receipts that wait in one shard for the store; more are left out until there is place again.
    public var receiptsWaitingMax = 100_000
    /// Different reactions to one message.
    public var reactionKindsPerMessageMax = 20
    /// Reactions of one user to one message.
    public var reactionsPerUserMax = 5
    /// Reactions of all users to one message: what goes with it when it is deleted.
    public var reactionsPerMessageMax = 10_000
    /// Recent messages that a room holds ready for those who come back, before the store is asked.
    public var tailMessagesMax = 100
    /// Bytes of text in a room's tail.
    public var tailBytesMax = 64 * 1024

    // MARK: How long

    /// From the opening of a connection to its valid `hello`.
    public var helloTimeout: Milliseconds = 10_000
    /// Silence after which the hub sends `ping`.
    public var heartbeat: Milliseconds = 25_000
    /// Silence after that `ping` which closes the connection with 4000.
    public var heartbeatGrace: Milliseconds = 10_000
    /// How long an upload may stand still before it gives its place to others.
    public var transferTimeout: Milliseconds = 60_000
    /// How long a join or a departure waits to be told together with others. One that is undone inside it, as by a
    /// reconnect, is never told.
    public var presenceDelay: Milliseconds = 500
    /// How long a receipt waits to be stored, and then told, together with others.
    public var receiptDelay: Milliseconds = 250
    /// The longest mute or ban that a moderator can ask for: 30 days.
    public var sanctionMinutesMax: UInt64 = 30 * 24 * 60

    public init() {}

    /// Says which bounds don't fit together.
    ///
    /// - Returns: a sentence for each contradiction; empty when the limits can work.
    public func contradictions() -> [String] {
        var found: [String] = []
        func require(_ holds: Bool, _ sentence: String) {
            if !holds { found.append(sentence) }
        }
        require(textBytesMax >= 1, "textBytesMax must be at least 1")
        require(
            messageBytesMax >= textBytesMax + 1024,
            "messageBytesMax must leave 1024 bytes around a text of textBytesMax")
        require(messageBytesMax <= 16 * 1024 * 1024, "messageBytesMax must be at most 16 MiB")
        require(pageBytesMax >= textBytesMax, "pageBytesMax must hold a text of textBytesMax")
        require(
            queueBytesMax >= queueWatermarkBytes + (pagesInFlightMax + 1) * pageBytesMax + 64 * 1024,
            "queueBytesMax must be at least queueWatermarkBytes + (pagesInFlightMax + 1) × pageBytesMax + 64 KiB: the page "
                + "that crosses the watermark and those in flight must fit")
        require((0...100).contains(filesPerMessageMax), "filesPerMessageMax must be at most 100")
        require(
            queueBytesMax >= 6 * (textBytesMax + min(filesPerMessageMax, 100) * AttachedFile.weightMax),
            "queueBytesMax must hold a fully escaped text of textBytesMax and what is said of filesPerMessageMax files")
        require(
            queueWatermarkBytes < queueBytesMax && queueWatermarkBytes > 0,
            "queueWatermarkBytes must be above 0 and below queueBytesMax")
        require(
            transferWindowBytes >= messageBytesMax && transferWindowBytes <= FilePiece.bytesMax,
            "transferWindowBytes must be at least messageBytesMax, and at most \(FilePiece.bytesMax)")
        require(transferTimeout >= 1000, "transferTimeout must be at least 1000 ms")
        require(sanctionMinutesMax <= 10 * 366 * 24 * 60, "sanctionMinutesMax must be at most ten years")
        require(jsonDepthMax >= 3, "jsonDepthMax must be at least 3")
        for (name, value) in [
            ("commandsInFlightMax", commandsInFlightMax), ("malformedPerMinuteMax", malformedPerMinuteMax),
            ("floodedPerMinuteMax", floodedPerMinuteMax), ("refreshesPerMinuteMax", refreshesPerMinuteMax),
            ("pagesInFlightMax", pagesInFlightMax), ("roomsPerJoinMax", roomsPerJoinMax),
            ("pageMessagesMax", pageMessagesMax),
            ("membersListedMax", membersListedMax),
            ("presenceNamesMax", presenceNamesMax), ("roomsPerSessionMax", roomsPerSessionMax),
            ("sessionsPerUserMax", sessionsPerUserMax), ("sessionsPerShardMax", sessionsPerShardMax),
            ("roomsPerShardMax", roomsPerShardMax), ("membersPerRoomMax", membersPerRoomMax),
            ("storeRequestsInFlightMax", storeRequestsInFlightMax), ("receiptUsersMax", receiptUsersMax),
            ("roomsListedMax", roomsListedMax), ("receiptsWaitingMax", receiptsWaitingMax),
            ("transfersPerSessionMax", transfersPerSessionMax), ("transfersMax", transfersMax),
            ("transfersPerUserMax", transfersPerUserMax),
            ("reactionKindsPerMessageMax", reactionKindsPerMessageMax),
            ("reactionsPerUserMax", reactionsPerUserMax), ("reactionsPerMessageMax", reactionsPerMessageMax),
        ] {
            require(value >= 1, "\(name) must be at least 1")
        }
        require(receiptDelay >= 10, "receiptDelay must be at least 10 ms")
        require(helloTimeout >= 100, "helloTimeout must be at least 100 ms")
        require(heartbeat >= 100 && heartbeatGrace >= 100, "heartbeat and heartbeatGrace must be at least 100 ms")
        return found
    }
}
