@testable import GoHubCore

/// The counts of a run's interesting steps.
struct SimulationSeen: Equatable {
    static let moved = "moved"
    static let directNews = "direct news"
    static let busLost = "bus lost"
    static let busMessage = "bus message"
    /// What doesn't happen with one hub.
    static let ofSeveral = [moved, directNews]
    /// What doesn't happen without a bus.
    static let ofBus = [busLost, busMessage]

    /// Steps of hubs and the store while clients act; those until everything has settled don't count.
    var steps = 0
    private(set) var counts: [String: Int] = [
        "message": 0, "recovered": 0, "not recovered": 0, "duplicate": 0, "replaced": 0, "presence": 0, "kick": 0,
        "direct message": 0, "slow consumer": 0, "resync": 0, "refused": 0, "page": 0, "reading paused": 0,
        "receipt": 0, "rooms": 0, "crash": 0, "pause": 0, "sent again": 0, "ban": 0, "mute": 0, "pardon": 0,
        "edited": 0, "deleted": 0, "reaction": 0, "direct fact": 0, "unchanged": 0,
        "no such message": 0, "another's message": 0, "batch": 0, "batch of rooms": 0, "late batch": 0, moved: 0,
        directNews: 0, busLost: 0, busMessage: 0,
    ]

    mutating func add(_ other: SimulationSeen) {
        steps += other.steps
        counts.merge(other.counts) { $0 + $1 }
    }

    mutating func note(_ what: String) {
        counts[what, default: 0] += 1
    }

    mutating func note(_ record: Sanction.Record) {
        switch record.sanction.kind {
        case .ban: note("ban")
        case .mute: note("mute")
        case .pardon: note("pardon")
        case .kick: break
        }
    }

    mutating func note(_ action: SessionAction) {
        switch action {
        case .close(.slowConsumer): note("slow consumer")
        case .close(.resyncNeeded): note("resync")
        case .pauseReading: note("reading paused")
        case .close(.replaced): note("replaced")
        default: break
        }
    }

    mutating func note(_ event: Event) {
        let what: String? =
            switch event {
            case .message(_, let message): message.change?.op ?? "message"
            case .directMessage(_, _, let message): message.change == nil ? "direct message" : "direct fact"
            case .joined(let joined): joined.recovered ? "recovered" : "not recovered"
            case .ack(let ack): ack.isDuplicate ? "duplicate" : ack.isUnchanged ? "unchanged" : nil
            case .error(_, .notFound, "There is no such message.", _): "no such message"
            case .error(_, .forbidden, "The message belongs to another user.", _): "another's message"
            case .presence: "presence"
            case .receipt: "receipt"
            case .rooms(_, let page): page.rooms.isEmpty ? nil : "rooms"
            case .left(id: nil, _, _): "kick"
            case .error: "refused"
            case .page: "page"
            default: nil
            }
        if let what { note(what) }
    }
}
