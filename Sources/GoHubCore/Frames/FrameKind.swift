/// The kinds of messages in frames. A number is never used for another kind.
enum FrameKind: UInt8, CaseIterable {
    // To all.
    case beat = 1
    case bye = 2
    case ask = 3
    case returned = 4
    // To one node.
    case reply = 16
    case claimAnswered = 17
    case presencePart = 18
    case presenceWantedOf = 19
    // To a room.
    case entries = 32
    case head = 33
    case ephemeral = 34
    case typed = 35
    case receipts = 36
    case presence = 37
    case presenceIs = 38
    case presenceWanted = 39
    case moderated = 40
    case sanctionsChanged = 41
    case inDoubt = 42
    // To a user.
    case claim = 64
    case direct = 65
    case directEphemeral = 66
    case directTyped = 67
    case directReceipts = 68

    init(_ message: ClusterMessage) {
        self =
            switch message {
            case .beat: .beat
            case .bye: .bye
            case .ask: .ask
            case .returned: .returned
            case .reply: .reply
            case .claimAnswered: .claimAnswered
            case .presencePart: .presencePart
            case .presenceWantedOf: .presenceWantedOf
            case .entries: .entries
            case .head: .head
            case .ephemeral: .ephemeral
            case .typed: .typed
            case .receipts: .receipts
            case .presence: .presence
            case .presenceIs: .presenceIs
            case .presenceWanted: .presenceWanted
            case .moderated: .moderated
            case .sanctionsChanged: .sanctionsChanged
            case .inDoubt: .inDoubt
            case .claim: .claim
            case .direct: .direct
            case .directEphemeral: .directEphemeral
            case .directTyped: .directTyped
            case .directReceipts: .directReceipts
            }
    }

    /// Whether a message of this kind may come on a topic's channel.
    func belongs(to topic: ClusterTopic) -> Bool {
        switch topic {
        case .all: rawValue < 16
        case .node: (16..<32).contains(rawValue)
        case .room: (32..<64).contains(rawValue)
        case .user: rawValue >= 64
        }
    }
}
