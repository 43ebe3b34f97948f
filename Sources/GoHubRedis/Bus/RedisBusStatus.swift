internal import GoHubCore
internal import Synchronization

/// What a bus tells of itself: for the node's row, for metrics, and for an operator's view.
package struct RedisBusStatus: Hashable, Sendable {
    package var isUp = false
    /// The server of the link, or of the last one.
    package var server: RedisAddress?
    /// The run id of that server, while the link is up; `nil` if it doesn't tell.
    package var runID: String?

    // MARK: Since the start

    /// Links made, with the first one.
    package var links: UInt64 = 0
    /// Messages that the server has taken.
    package var published: UInt64 = 0
    /// Messages of other nodes that were reported.
    package var heard: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Frames that weren't reported, by `FrameError.label`.
    package var refused: [String: UInt64] = [:]
    /// Messages of this node that were longer than a frame may be, and weren't sent.
    package var tooLong: UInt64 = 0

    // MARK: Now

    /// Bytes of messages that wait for the server's answers to earlier ones.
    package var backlogBytes = 0

    /// Of a bus that isn't started.
    package init() {}
}

/// An event for the operator: one line of a log each. Contains no secret.
package enum RedisBusReport: Hashable, Sendable, CustomStringConvertible {
    case connected(RedisAddress, RedisServer)
    /// The link was up, and is lost.
    case lost(RedisError)
    /// An attempt has failed for another reason than those before it.
    case failed(RedisError)
    /// A Sentinel can't be asked. Others may be.
    case sentinelFailed(RedisAddress, RedisError)

    /// A sentence for the log.
    package var description: String {
        switch self {
        case .connected(let address, let server):
            "connected to Redis at \(address)" + (server.version.map { ", version \($0)" } ?? "")
        case .lost(let error): "lost the connection to Redis; reconnecting: \(error)"
        case .failed(let error): "connection to Redis failed; retrying: \(error)"
        case .sentinelFailed(let address, let error): "Sentinel \(address) failed; asking the others: \(error)"
        }
    }

    /// The reason's stable name; `nil` for good news.
    package var code: RedisError.Code? {
        switch self {
        case .connected: nil
        case .lost(let error), .failed(let error), .sentinelFailed(_, let error): error.code
        }
    }
}

/// The status where the bus thread writes it and others read it.
final class RedisBusBoard: Sendable {
    private let status = Mutex(RedisBusStatus())

    var current: RedisBusStatus { status.withLock { $0 } }

    func set(_ status: RedisBusStatus) { self.status.withLock { $0 = status } }
}
