/// The bounds and times of a cluster in one place, each with its unit and its reason.
package struct ClusterLimits: Hashable, Sendable {
    // MARK: Order

    /// Entries of a room that wait for entries before them.
    package var holdEntriesMax = 1000
    /// Bytes of those entries.
    package var holdBytesMax = 1024 * 1024
    /// Entries that wait in all rooms of a shard.
    package var holdShardEntriesMax = 100_000
    /// Bytes of the entries that wait in all rooms of a shard.
    package var holdShardBytesMax = 64 * 1024 * 1024
    /// The time that a hole is given to be filled by an entry that is only late, before the store is read. Longer than
    /// a healthy bus reorders, shorter than a person notices.
    package var holdDelay: Milliseconds = 100
    /// Entries that a room may be behind. Beyond it, its members join again: a client's own recovery is cheaper.
    package var lagEntriesMax: UInt64 = 2000
    /// The time over which those members are closed.
    package var resyncOver: Milliseconds = 10_000
    /// The time for each of them: a thousand clients a second join again.
    package var resyncPerClient: Milliseconds = 1
    /// A shorter time isn't worth spreading.
    package var resyncAtOnce: Milliseconds = 100

    // MARK: Comparing rooms with the store

    /// The time between two comparisons of a room while there is no bus. Members receive other nodes'
    /// entries after at most this time and the time of two statements: about 250 ms.
    package var pollEvery: Milliseconds = 140
    /// The time between two comparisons of a room otherwise: the net below every other way to learn of an entry.
    package var compareEvery: Milliseconds = 30_000
    /// The time for this node's own appends to be answered before an entry counts as another node's.
    package var settleDelay: Milliseconds = 25
    /// The time until a failed comparison is tried again.
    package var compareRetry: Milliseconds = 1_000

    // MARK: Registry

    /// Nodes of a cluster, and lives of nodes that are remembered.
    package var nodesMax = 256
    /// The time between two renewals of a node's lease, which are also readings of all others.
    package var renewEvery: Milliseconds = 5_000
    /// A lease from one renewal to its end. Two renewals may fail.
    package var lease: Milliseconds = 15_000
    /// Without a renewal for this long a node is late, when there is no bus that tells it sooner.
    package var lateAfter: Milliseconds = 8_000
    /// By how much a reading of the registry may be late, when a renewal is compared with a beat.
    package var registryDelay: Milliseconds = 1_000
    /// Silence on a healthy bus after which nobody waits for a node's answer: four beats.
    package var suspectAfter: Milliseconds = 4_000
    /// Silence on a healthy bus after which a node is cut off, or dead.
    package var silentAfter: Milliseconds = 10_000
    /// A longer time between two ticks means that this process stood still, and heard nobody.
    package var pauseAfter: Milliseconds = 3_000
    /// The time for which an ended life is remembered, so that its late messages don't revive it.
    package var rememberEndedFor: Milliseconds = 300_000

    // MARK: Sessions

    /// The longest wait for the other nodes' answers to a claim. A person waits for the welcome.
    package var claimTimeout: Milliseconds = 1_000
    /// The wait when the bus can't count who has heard the claim.
    package var claimQuiet: Milliseconds = 20
    /// By how much a session must be older than another to be told not to come back. Longer than a message takes, so
    /// that the order isn't in doubt.
    package var claimSettledAfter: Milliseconds = 2_000
    /// Sessions of a key that may be told to come back within `claimDoubtsExpireAfter`. Further ones are told not to:
    /// many clients with one device would replace each other for ever.
    package var claimDoubtsMax = 5
    package var claimDoubtsExpireAfter: Milliseconds = 10_000
    /// How often a claim is sent again while somebody who heard it hasn't answered.
    package var claimRepeatsMax = 3
    /// How often a claim that an older session has outranked is raised. Each time needs another session that is older.
    package var claimRaisesMax = 2
    /// Claims repeated at a time, after the bus was away.
    package var claimsPerStep = 500

    // MARK: Presence

    /// The time for which changes of a room's users are gathered for the other nodes.
    package var presenceTellAfter: Milliseconds = 50
    /// Users in one part of a snapshot, and in one update; with the longest names they fit a message of 64 KiB.
    package var presencePartUsersMax = 200
    /// Users of all peers that a room keeps. Beyond it, the room's members are `partial`.
    package var presenceUsersMax = 200_000
    /// Bytes of the users of all peers that a room keeps.
    package var presenceBytesMax = 32 * 1024 * 1024
    /// Updates that wait for the parts of a snapshot before them.
    package var presenceHeldUpdatesMax = 64
    /// The time after which a snapshot is asked for again; twice as long each time.
    package var presenceAskAgainAfter: Milliseconds = 2_000
    /// A set that nothing has confirmed for this long is asked for: its end may have been lost.
    package var presenceConfirmAfter: Milliseconds = 90_000
    /// The time between two announcements of the own version in a room without other news.
    package var presenceAnnounceEvery: Milliseconds = 30_000
    /// The time for which a user who moves to another node counts as present: their reconnect, and some more.
    package var presenceMoveFor: Milliseconds = 10_000

    // MARK: The bus

    /// Bytes that wait for one node. Beyond it, the node is disconnected and catches up, as Redis does with a slow
    /// reader.
    package var busInboxBytesMax = 32 * 1024 * 1024
    /// Topics that a node subscribes to: rooms with members here, users with sessions here, and a few more.
    package var busTopicsMax = 2_000_000

    package init() {}

    /// Checks the relations between the bounds.
    ///
    /// - Returns: one sentence for each contradiction; empty when the limits are consistent.
    package func contradictions() -> [String] {
        var found: [String] = []
        func require(_ holds: Bool, _ sentence: String) {
            if !holds { found.append(sentence) }
        }
        require(holdEntriesMax <= holdShardEntriesMax, "holdEntriesMax must be at most holdShardEntriesMax")
        require(holdBytesMax <= holdShardBytesMax, "holdBytesMax must be at most holdShardBytesMax")
        require(UInt64(clamping: holdEntriesMax) <= lagEntriesMax, "lagEntriesMax must be at least holdEntriesMax")
        require(renewEvery < lateAfter, "lateAfter must be more than renewEvery, or every node is late")
        require(lateAfter < lease, "lease must be more than lateAfter")
        require(2 * renewEvery.value < lease.value, "lease must be more than two renewals, so that one may fail")
        require(suspectAfter < silentAfter, "silentAfter must be more than suspectAfter")
        require(
            renewEvery.value + registryDelay.value < silentAfter.value,
            "silentAfter must be more than a renewal and registryDelay, or every silent node is dead")
        require(pauseAfter < suspectAfter, "pauseAfter must be less than suspectAfter, or a pause becomes silence")
        require(lease < rememberEndedFor, "rememberEndedFor must be more than a lease")
        require(claimQuiet <= claimTimeout, "claimQuiet must be at most claimTimeout")
        require(presenceAskAgainAfter >= 100, "presenceAskAgainAfter must be at least 100 ms")
        require(
            2 * presenceAnnounceEvery.value < presenceConfirmAfter.value,
            "presenceConfirmAfter must be more than two announcements, so that one may be lost")
        for (name, value) in [
            ("holdEntriesMax", holdEntriesMax), ("nodesMax", nodesMax), ("claimsPerStep", claimsPerStep),
            ("presencePartUsersMax", presencePartUsersMax), ("presenceUsersMax", presenceUsersMax),
            ("presenceHeldUpdatesMax", presenceHeldUpdatesMax), ("busTopicsMax", busTopicsMax),
        ] {
            require(value >= 1, "\(name) must be at least 1")
        }
        return found
    }
}
