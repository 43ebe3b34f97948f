/// The bounds of the hub in one place, each with its unit and its reason. The transport has those of connections.
///
/// `contradictions()` checks their relations, so that an unworkable configuration is refused at the start and not
/// discovered under load.
public struct Limits: Hashable, Sendable {
    // MARK: Input of one client

    /// Bytes of a whole WebSocket message. Fits a text of `textBytesMax` with every character escaped.
    public var messageBytesMax = 64 * 1024
    /// The text of a chat message, in bytes of UTF-8.
    public var textBytesMax = 8 * 1024
    /// Files of one message.
    public var filesPerMessageMax = 10
    /// The nesting depth of a command's JSON. The protocol needs three.
    public var jsonDepthMax = 8
    /// Commands of a session that wait for a reply; above it, reading pauses. Commands behind a join without an answer
    /// count, too; `queueWatermarkBytes` bounds their texts.
    public var commandsInFlightMax = 64
    /// Joins and history requests among those commands. Their answers are large: together with the watermark they fit
    /// the queue, so that a client which rejoins many rooms at once isn't dropped for its own answers.
    public var pagesInFlightMax = 4
    /// Rooms in one `join`. The hub requests `pagesInFlightMax` of them at a time.
    public var roomsPerJoinMax = 100
    /// Malformed commands of a session per minute; the next one closes it with 4502.
    public var malformedPerMinuteMax = 20
    /// Commands above the rate that are answered per minute; the next one closes the session with 4004.
    public var floodedPerMinuteMax = 200
    /// Token refreshes of a session per minute: verification costs more than any other request.
    public var refreshesPerMinuteMax = 6

    /// Concurrent uploads of a session over its WebSocket.
    public var transfersPerSessionMax = 4
    /// Bytes of an upload that were received but not stored yet.
    public var transferWindowBytes = 256 * 1024

    // MARK: Output to one client

    /// Bytes queued for one client; above it the client is closed with 4001.
    public var queueBytesMax = 1024 * 1024
    /// Bytes queued for one client above which its commands aren't read, until the queue has fallen to half of it.
    public var queueWatermarkBytes = 256 * 1024
    /// Messages in one `joined` or `page`.
    public var pageMessagesMax = 500
    /// Bytes of JSON of the messages in one `joined` or `page`; one message always fits. Far enough below the queue's
    /// bound that answers alone never drop the client that requested them.
    public var pageBytesMax = 128 * 1024
    /// Members listed in `joined` and `members`; further ones are only counted.
    public var membersListedMax = 200
    /// Users named in one `presence`; further ones go into the next.
    public var presenceNamesMax = 100
    /// Users with a receipt in a room, above which receipts are not sent to others: each can change with every message,
    /// and every change would be sent to all.
    public var receiptUsersMax = 200
    /// Rooms in one answer to `rooms`.
    public var roomsListedMax = 100

    // MARK: Counts

    /// Rooms that a session can be in.
    public var roomsPerSessionMax = 100
    /// Concurrent sessions (devices) of a user.
    public var sessionsPerUserMax = 20
    /// Sessions that one shard registers.
    public var sessionsPerShardMax = 1_000_000
    /// Rooms that one shard keeps in memory.
    public var roomsPerShardMax = 100_000
    /// Members (sessions) of one room.
    public var membersPerRoomMax = 100_000
    /// Users muted or banned in one room.
    public var sanctionsPerRoomMax = 1_000
    /// Mutes and bans read for a room: as many as may ever have been stored, even under a higher limit, so that none is
    /// missed.
    public var sanctionsReadMax: Int { max(sanctionsPerRoomMax, 100_000) }
    /// Concurrent uploads of all sessions. With the window of each they bound the bytes that wait for the disk: 64 MiB.
    public var transfersMax = 256
    /// Concurrent uploads of one user on all devices.
    public var transfersPerUserMax = 16
    /// Unanswered store requests of one shard: messages and reads.
    public var storeRequestsInFlightMax = 10_000
    /// Receipts that wait for the store in one shard; further ones are dropped until there is space.
    public var receiptsWaitingMax = 100_000
    /// Different reactions to one message.
    public var reactionKindsPerMessageMax = 20
    /// Reactions of one user to one message.
    public var reactionsPerUserMax = 5
    /// Reactions of all users to one message, which are removed together when it is deleted.
    public var reactionsPerMessageMax = 10_000
    /// Recent messages that a room keeps in memory for reconnecting clients, before the store is asked.
    public var tailMessagesMax = 100
    /// Bytes of text in a room's tail.
    public var tailBytesMax = 64 * 1024

    // MARK: Durations

    /// The time limit from opening a connection to a valid `hello`.
    public var helloTimeout: Milliseconds = 10_000
    /// The idle time after which the hub sends `ping`.
    public var heartbeat: Milliseconds = 25_000
    /// The idle time after that `ping` until the connection is closed with 4000.
    public var heartbeatGrace: Milliseconds = 10_000
    /// The time without progress after which an upload frees its slot.
    public var transferTimeout: Milliseconds = 60_000
    /// The time over which joins and leaves are collected. One that is undone within it, as by a reconnect, is never
    /// sent.
    public var presenceDelay: Milliseconds = 500
    /// The time over which receipts are collected before they are stored and sent.
    public var receiptDelay: Milliseconds = 250
    /// The longest mute or ban: 30 days.
    public var sanctionMinutesMax: UInt64 = 30 * 24 * 60

    /// The default of every limit, without contradictions.
    public init() {}

    /// Checks the relations between the bounds.
    ///
    /// - Returns: one sentence for each contradiction; empty when the limits are consistent.
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
            "queueBytesMax must hold a fully escaped text of textBytesMax and the descriptions of filesPerMessageMax "
                + "files"
        )
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
