public import GoHubCore

/// A store that keeps messages over a restart, and so has something to close.
///
/// What it has answered with `stored` is on stable storage, as far as the system and the database's settings keep that
/// promise: `Docs/Durability.md`.
public protocol DurableMessageStore: MessageStore {
    /// Whether it can answer now. A server that is out of reach makes it false until it is back.
    var isReady: Bool { get }

    /// Removes what is too old now, instead of when it is time (`StoreSettings.sweepInterval`).
    func sweep() async throws(StoreError)

    /// Takes nothing new, answers all that waits, and returns when the file or the connections are closed.
    func close() async
}

/// What the durable stores have in common.
public struct StoreSettings: Sendable {
    /// How long a draft's (room, user, id) is known, so that a repeat is told the first one's offset.
    public var idempotencyWindow: Milliseconds = .seconds(24 * 60 * 60)
    public var retention = Retention()
    /// How often what is too old is looked for.
    public var sweepInterval: Milliseconds = .seconds(600)
    /// Tells what is too old. Nodes that share a database should agree about the time within minutes.
    public var clock: @Sendable () -> WallTime = { .now() }
    /// The most drafts that wait; more are refused at once.
    public var draftsWaitingMax = 100_000
    /// The most reads that wait; more are refused at once.
    public var readsWaitingMax = 10_000

    public init() {}
}

/// How much history a room keeps. What goes is always the oldest; offsets and the epoch go on. With an age, who has got
/// nothing for longer than that is forgotten, too: `ForgottenReceipts`.
public struct Retention: Hashable, Sendable {
    /// `nil` keeps messages of any age.
    public var ageMax: Milliseconds?
    /// `nil` keeps any number of messages.
    public var messagesPerRoomMax: Int?

    public init(ageMax: Milliseconds? = nil, messagesPerRoomMax: Int? = nil) {
        self.ageMax = ageMax
        self.messagesPerRoomMax = messagesPerRoomMax.map { max(1, $0) }
    }

    var keepsAll: Bool { ageMax == nil && messagesPerRoomMax == nil }
}

extension WallTime {
    /// The time that long before; stays at the start of the range instead of overflowing.
    func before(by time: Milliseconds) -> WallTime {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(Int64(clamping: time.value))
        return WallTime(milliseconds: overflow ? .min : difference)
    }

    /// How long it is until another time; 0 when that is over.
    func distance(to other: WallTime) -> Milliseconds {
        guard other.milliseconds > milliseconds else { return 0 }
        return Milliseconds(
            UInt64(other.milliseconds.subtractingReportingOverflow(milliseconds).partialValue.magnitude))
    }

    /// The time that long after; stays at the end of the range instead of overflowing.
    func after(_ time: Milliseconds) -> WallTime {
        let (sum, overflow) = milliseconds.addingReportingOverflow(Int64(clamping: time.value))
        return WallTime(milliseconds: overflow ? .max : sum)
    }
}

/// Takes messages into a page until one doesn't fit: by count, or by bytes of text, of which one always fits.
struct PageCut {
    private let messagesMax: Int
    private var bytesLeft: Int
    private(set) var messages: [StoredMessage] = []
    /// Whether there was a message that didn't fit.
    private(set) var more = false

    init(_ request: HistoryRequest) {
        messagesMax = request.messagesMax
        bytesLeft = request.bytesMax
    }

    /// How many rows are to be asked for: one above the page tells whether there is more.
    static func rowsMax(_ request: HistoryRequest) -> Int64 {
        Int64(min(max(0, request.messagesMax), 1_000_000)) + 1
    }

    /// - Returns: whether the next message is worth bringing.
    mutating func take(_ message: StoredMessage) -> Bool {
        let bytes = message.answerBytes
        guard messages.count < messagesMax, messages.isEmpty || bytes <= bytesLeft else {
            more = true
            return false
        }
        bytesLeft -= bytes
        messages.append(message)
        return true
    }
}
