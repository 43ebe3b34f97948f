internal import GoHubCore
internal import Metrics

/// A loop's metrics.
///
/// Counted in plain numbers while the loop works and passed to swift-metrics once a second, so that no delivery pays
/// for it.
final class ServerMetrics {
    /// Since the last report.
    var commands = 0
    var accepted = 0
    var rejected = 0
    private var closed: [CloseCode: Int] = [:]

    private let commandsCounter = Counter(label: "gohub_commands_total")
    private let publishedCounter = Counter(label: "gohub_messages_published_total")
    private let deliveriesCounter = Counter(label: "gohub_messages_delivered_total")
    private let deliveredBytesCounter = Counter(label: "gohub_delivered_bytes_total")
    private let acceptedCounter = Counter(label: "gohub_connections_accepted_total")
    private let rejectedCounter = Counter(label: "gohub_connections_rejected_total")
    private let connections: Gauge
    private let sessions: Gauge
    private let rooms: Gauge
    private let queueBytes: Gauge
    private let appendTimer = Metrics.Timer(label: "gohub_store_append_seconds")
    private let turnTimer = Metrics.Timer(label: "gohub_loop_turn_seconds")
    private var turnLongest: UInt64 = 0

    /// - Parameter loop: labels the gauges, whose values of several loops add up.
    init(loop: Int) {
        let dimensions = [("loop", "\(loop)")]
        connections = Gauge(label: "gohub_connections", dimensions: dimensions)
        sessions = Gauge(label: "gohub_sessions", dimensions: dimensions)
        rooms = Gauge(label: "gohub_rooms", dimensions: dimensions)
        queueBytes = Gauge(label: "gohub_queue_bytes", dimensions: dimensions)
    }

    /// Counts a session closed by the hub. Codes are few, so the label is bounded.
    func closed(_ code: CloseCode) {
        closed[code, default: 0] += 1
    }

    func appended(nanoseconds: UInt64) {
        appendTimer.recordNanoseconds(Int64(clamping: nanoseconds))
    }

    func turnEnded(nanoseconds: UInt64) {
        turnLongest = max(turnLongest, nanoseconds)
    }

    func report(
        published: Int, delivered: (events: Int, bytes: Int), connections: Int, sessions: Int, rooms: Int,
        queueBytes: Int
    ) {
        commandsCounter.increment(by: commands)
        publishedCounter.increment(by: published)
        deliveriesCounter.increment(by: delivered.events)
        deliveredBytesCounter.increment(by: delivered.bytes)
        acceptedCounter.increment(by: accepted)
        rejectedCounter.increment(by: rejected)
        for (code, count) in closed {
            Counter(label: "gohub_sessions_closed_total", dimensions: [("code", "\(code.rawValue)")])
                .increment(by: count)
        }
        self.connections.record(connections)
        self.sessions.record(sessions)
        self.rooms.record(rooms)
        self.queueBytes.record(queueBytes)
        turnTimer.recordNanoseconds(Int64(clamping: turnLongest))
        (commands, accepted, rejected) = (0, 0, 0)
        turnLongest = 0
        closed = [:]
    }
}
