import GoHubTestSupport

@testable import GoHubCore
@testable import GoHubRedis

/// Servers and Sentinels as values, and the connections between them and nodes: bytes under way in both directions.
struct SimulatedRedis {
    struct Server {
        enum Mood {
            case well
            /// Accepts bytes and answers nothing.
            case frozen
            /// Answers everything, and delivers nothing.
            case deaf
            case down
        }

        var runID: String
        var isPrimary: Bool
        var mood = Mood.well
    }

    struct Sentinel {
        var primary: RedisAddress?
        var isUp = true
    }

    struct Connection {
        let address: RedisAddress
        var reader = RESPReader()
        var toServer: [UInt8] = []
        var toNode: [UInt8] = []
        /// In the order of subscription, for the count in confirmations.
        var channels: Set<String> = []
        var isEnded = false
    }

    var servers: [RedisAddress: Server] = [:]
    var sentinels: [RedisAddress: Sentinel] = [:]
    /// By node and kind.
    var connections: [Key: Connection] = [:]

    struct Key: Hashable, Comparable {
        let node: Int
        let kind: RedisLink.Connection

        static func < (left: Key, right: Key) -> Bool {
            (left.node, "\(left.kind)") < (right.node, "\(right.kind)")
        }
    }

    // MARK: Connections

    /// - Returns: whether somebody listens at the address.
    mutating func connect(_ key: Key, to address: RedisAddress) -> Bool {
        connections[key] = nil
        let isUp = sentinels[address]?.isUp ?? servers[address].map { $0.mood != .down } ?? false
        if isUp { connections[key] = Connection(address: address) }
        return isUp
    }

    /// Ends a server's connections; each node hears of it when its connection is looked at.
    mutating func stop(_ address: RedisAddress) {
        servers[address]?.mood = .down
        for key in connections.keys where connections[key]?.address == address { connections[key]?.isEnded = true }
    }

    mutating func start(_ address: RedisAddress, runID: String, isPrimary: Bool) {
        servers[address] = Server(runID: runID, isPrimary: isPrimary)
    }

    /// Handles what a node has sent, all of it or a part.
    mutating func serve(_ key: Key, bytes count: Int) {
        guard let connection = connections[key], !connection.isEnded else { return }
        if servers[connection.address]?.mood == .frozen { return }
        connections[key]?.reader.append(connection.toServer.prefix(count))
        connections[key]?.toServer.removeFirst(min(count, connection.toServer.count))
        while (try? connections[key]?.reader.next()) == true, let command = connections[key]?.reader.value {
            perform(command, key, connection.address)
        }
    }

    private mutating func perform(_ command: RESPValue, _ key: Key, _ address: RedisAddress) {
        let words = command.elements ?? []
        switch words.first?.text {
        case "AUTH", "CLIENT": answer("+OK\r\n", key)
        case "PING":
            answer(connections[key]?.channels.isEmpty == false ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n", key)
        case "ROLE": answer(servers[address]?.isPrimary == true ? Reply.primary : Reply.replica, key)
        case "INFO": answer(Reply.info(servers[address]?.runID ?? "?"), key)
        case "SENTINEL":
            guard let primary = sentinels[address]?.primary else { return answer("*-1\r\n", key) }
            let (host, port) = (primary.host, "\(primary.port)")
            answer("*2\r\n$\(host.utf8.count)\r\n\(host)\r\n$\(port.utf8.count)\r\n\(port)\r\n", key)
        case "SUBSCRIBE", "UNSUBSCRIBE":
            let isSubscription = words.first?.text == "SUBSCRIBE"
            for channel in words.dropFirst().compactMap(\.text) {
                if isSubscription {
                    connections[key]?.channels.insert(channel)
                } else {
                    connections[key]?.channels.remove(channel)
                }
                let count = connections[key]?.channels.count ?? 0
                answer(Reply.confirmation(isSubscription ? "subscribe" : "unsubscribe", channel, count), key)
            }
        case "PUBLISH":
            guard words.count == 3, let channel = words[1].text, case .bulk(let payload) = words[2] else { return }
            var receivers = 0
            for other in connections.keys.sorted() {
                guard connections[other]?.address == address, connections[other]?.isEnded == false,
                    connections[other]?.channels.contains(channel) == true
                else { continue }
                receivers += 1
                if servers[address]?.mood == .deaf { continue }
                answer("*3\r\n$7\r\nmessage\r\n$\(channel.utf8.count)\r\n\(channel)\r\n$\(payload.count)\r\n", other)
                connections[other]?.toNode += payload + [13, 10]
            }
            answer(":\(receivers)\r\n", key)
        default: answer("-ERR unknown command\r\n", key)
        }
    }

    private mutating func answer(_ text: String, _ key: Key) { connections[key]?.toNode += text.utf8 }

    /// News of all Sentinels, if they are heard.
    mutating func tellSwitch(from old: RedisAddress, to new: RedisAddress) {
        let news = "main \(old.host) \(old.port) \(new.host) \(new.port)"
        for key in connections.keys.sorted() where connections[key]?.channels.contains("+switch-master") == true {
            answer(Reply.message("+switch-master", news), key)
        }
    }
}
