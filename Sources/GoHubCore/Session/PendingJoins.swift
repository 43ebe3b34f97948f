/// A session's pending work for joins: requests not yet sent to the hub, and commands for rooms whose join has no
/// answer. Small, because every session has one and it is mostly empty.
struct PendingJoins: Sendable {
    /// Sent one after the other, as answers come back. No more than the session's rooms.
    private var requests: [JoinRequest] = []
    private var held: [Command] = []
    private var heldBytes: Int32 = 0
    private var unanswered: Int32 = 0

    /// The weight of a command besides its text.
    private static let commandBytes = 256

    /// Whether every join has its answer and nothing waits for one.
    var isEmpty: Bool { unanswered == 0 && requests.isEmpty && held.isEmpty }

    // MARK: Requests

    mutating func add(_ request: JoinRequest) {
        requests.append(request)
        unanswered += 1
    }

    mutating func nextRequest() -> JoinRequest? {
        requests.isEmpty ? nil : requests.removeFirst()
    }

    mutating func answered() {
        unanswered = max(0, unanswered - 1)
    }

    // MARK: Commands

    var heldCount: Int { held.count }
    /// Held commands whose answers are pages.
    var heldPages: Int { held.count { if case .history = $0 { true } else { false } } }

    /// Whether the texts of held commands have reached the limit for one client.
    func isFull(_ limits: Limits) -> Bool { heldBytes >= limits.queueWatermarkBytes }

    func holds(_ room: RoomName) -> Bool { held.contains { $0.room == room } }

    mutating func hold(_ command: Command) {
        held.append(command)
        heldBytes += Int32(clamping: Self.bytes(of: command))
    }

    /// Removes the held commands for a room, in order of arrival.
    mutating func takeHeld(for room: RoomName) -> [Command] {
        guard !held.isEmpty else { return [] }
        let taken = held.filter { $0.room == room }
        held.removeAll { $0.room == room }
        heldBytes -= taken.reduce(0) { $0 + Int32(clamping: Self.bytes(of: $1)) }
        return taken
    }

    private static func bytes(of command: Command) -> Int {
        switch command {
        case .send(let send):
            commandBytes + send.text.utf8.count + send.files.count * (commandBytes + AltText.bytesMax)
        case .change(let change):
            if case .edit(let text) = change.kind { commandBytes + text.utf8.count } else { commandBytes }
        default: commandBytes
        }
    }
}
