import Testing

/// A bug that a simulation plants around correct hubs, to show that its checks find it: in what the store answers, in
/// the letters within a hub, in its edges and timers, and in what a client receives.
enum PlantedBug: String, CaseIterable {
    // In what a client receives.
    case messageTwice, messageLost
    case recoveryDenied, recoveryCut
    case presenceLost, countOffByOne
    case receiptGoesBack, receiptAhead
    case answerTwice, ackElsewhere

    // In what the store answers.
    case comparisonEmpty, comparisonLate, holeNeverFilled
    case storedButDenied, acknowledgedButNotStored
    case otherEpochHidden
    case sanctionsDropped, sanctionsVersionDropped
    case deletedTextKept
    case directNewsDropped

    // Within a hub.
    case lettersSwapped, replyLost, welcomeEarly, timerLost
    case resyncWithoutCause, closedWithOtherHub
    case exitIgnored, pauseIgnored

    /// The invariants that it breaks: the report names one of them.
    var breaks: Set<Invariant> {
        switch self {
        case .messageTwice, .lettersSwapped: [.order]
        // Nothing comes after the last one of a room except receipts.
        case .messageLost: [.order, .completeness, .receipts]
        // Nothing that was told of the older history is true any more.
        case .otherEpochHidden: [.order, .receipts, .durability]
        case .ackElsewhere: [.durability]
        // Another entry takes the place or none does, and receipts of it are never stored.
        case .acknowledgedButNotStored: [.durability, .order, .receipts, .completeness]
        case .holeNeverFilled, .storedButDenied, .replyLost, .directNewsDropped: [.completeness]
        case .comparisonEmpty: [.completeness, .sanctions]
        case .timerLost: [.completeness, .receipts]
        case .comparisonLate: [.lateness]
        case .recoveryDenied, .recoveryCut: [.recovery]
        case .resyncWithoutCause: [.resync]
        case .welcomeEarly, .exitIgnored: [.sessions]
        case .presenceLost: [.presence]
        case .countOffByOne: [.counts]
        case .receiptGoesBack, .receiptAhead: [.receipts]
        case .sanctionsDropped, .sanctionsVersionDropped: [.sanctions]
        case .deletedTextKept: [.deletions]
        case .pauseIgnored: [.bounds]
        case .closedWithOtherHub: [.endings]
        case .answerTwice: [.dialogue]
        }
    }

    /// The number of hubs with which it shows.
    var hubCount: Int {
        // Several hubs compare their rooms with the store, and so find what a failure denies.
        self == .storedButDenied ? 1 : 2
    }
}

extension PlantedBug: CustomTestStringConvertible {
    var testDescription: String { rawValue }
}
