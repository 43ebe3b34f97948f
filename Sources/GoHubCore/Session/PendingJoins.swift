/// What a session has still to do for its joins: requests that the hub hasn't been asked for yet, and commands for rooms
/// whose join has no answer. Small, since every session has one and most of the time nothing is in it.
struct PendingJoins: Sendable {
    /// Asked for one after the other, as answers come back. No more than the session has rooms.
    private var requests: [JoinRequest] = []
    private var held: [Command] = []
    private var heldBytes: Int32 = 0
    private var unanswered: Int32 = 0

    /// What a command takes beside its text.
    private static let commandBytes = 256

    /// Whether every join has its answer, and nothing waits for one.
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
    /// Those among them whose answers are pages.
    var heldPages: Int { held.count { if case .history = $0 { true } else { false } } }

    /// Whether the texts of those that are held are as much as one client may have here.
    func isFull(_ limits: Limits) -> Bool { heldBytes >= limits.queueWatermarkBytes }

    func holds(_ room: RoomName) -> Bool { held.contains { $0.room == room } }

    mutating func hold(_ command: Command) {
        held.append(command)
        heldBytes += Int32(clamping: Self.bytes(of: command))
    }

    /// Takes out the commands for a room, in the order in which they came.
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
        case .wish(let wish):
            if case .edit(let text) = wish.kind { commandBytes + text.utf8.count } else { commandBytes }
        default: commandBytes
        }
    }
}
