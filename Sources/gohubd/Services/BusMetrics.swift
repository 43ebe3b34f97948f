internal import GoHubRedis
internal import Metrics
internal import Synchronization

/// The metrics of the bus, passed to swift-metrics once a second. All labels are from fixed lists.
final class BusMetrics: Sendable {
    private let linkUp = Gauge(label: "gohub_bus_link_up")
    private let backlogBytes = Gauge(label: "gohub_bus_backlog_bytes")
    private let links = Counter(label: "gohub_bus_links_total")
    private let published = Counter(label: "gohub_bus_published_total")
    private let received = Counter(label: "gohub_bus_received_total")
    private let bytesSent = Counter(label: "gohub_bus_sent_bytes_total")
    private let bytesReceived = Counter(label: "gohub_bus_received_bytes_total")
    private let tooLong = Counter(label: "gohub_bus_too_long_total")
    private let last = Mutex(RedisBusStatus())

    /// Counts what has happened since the last call.
    func record(_ status: RedisBusStatus) {
        let before = last.withLock { last in
            defer { last = status }
            return last
        }
        func increment(_ counter: Counter, _ count: KeyPath<RedisBusStatus, UInt64>) {
            counter.increment(by: status[keyPath: count] - min(before[keyPath: count], status[keyPath: count]))
        }
        linkUp.record(status.isUp ? 1 : 0)
        backlogBytes.record(status.backlogBytes)
        increment(links, \.links)
        increment(published, \.published)
        increment(received, \.heard)
        increment(bytesSent, \.bytesSent)
        increment(bytesReceived, \.bytesReceived)
        increment(tooLong, \.tooLong)
        for (reason, count) in status.refused {
            Counter(label: "gohub_bus_refused_total", dimensions: [("reason", reason)])
                .increment(by: count - min(before.refused[reason] ?? 0, count))
        }
    }
}
