import GoHubTestSupport

@testable import GoHubCore
@testable import GoHubRedis

extension RedisAddress {
    /// An address in tests. An invalid one is a mistake of the test and stops it.
    static func of(_ host: String, _ port: UInt16 = 6379) -> RedisAddress {
        guard let address = RedisAddress(host: host, port: port) else { preconditionFailure("\(host) is no host") }
        return address
    }
}

extension NodeIncarnation {
    static let a = number(0xA)
    static let b = number(0xB)

    static func number(_ value: UInt64) -> NodeIncarnation {
        guard let incarnation = NodeIncarnation(value) else { preconditionFailure("0 is no incarnation") }
        return incarnation
    }
}

extension NodeID {
    /// A node of tests with few nodes.
    static func named(_ name: String) -> NodeID {
        guard let name = NodeName(name) else { preconditionFailure("\(name) is no node's name") }
        return NodeID(name: name, incarnation: .a)
    }
}

/// A dialogue as a shell sees it.
protocol Dialogue {
    associatedtype Event

    var output: RESPWriter { get set }
    mutating func next() -> Event?
    mutating func receive<Failure: Error>(
        now: MonotonicTime, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int
}

extension CommandDialogue: Dialogue {}
extension SubscriptionDialogue: Dialogue {}
extension SentinelDialogue: Dialogue {}

extension Dialogue {
    /// Receives bytes, and returns the events that they lead to.
    mutating func hears(_ bytes: [UInt8], at now: MonotonicTime = .ms(0)) -> [Event] {
        var events = drain()
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = receive(now: now) { memory in
                let part = rest.prefix(memory.count)
                memory.copyBytes(from: part)
                return part.count
            }
            rest = rest.dropFirst(count)
            events += drain()
        }
        return events
    }

    mutating func hears(_ text: String, at now: MonotonicTime = .ms(0)) -> [Event] { hears(Array(text.utf8), at: now) }

    mutating func drain() -> [Event] {
        var events: [Event] = []
        while let event = next() { events.append(event) }
        return events
    }

    /// What there is to send, as sent.
    mutating func sent() -> String {
        let bytes = output.pending
        output.removeFirst(bytes.count)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The words of the commands there are to send, one string a command.
    mutating func commands() -> [String] {
        var reader = RESPReader()
        reader.append(Array(sent().utf8))
        var commands: [String] = []
        while (try? reader.next()) == true {
            commands.append((reader.value.elements ?? []).map { $0.text ?? "?" }.joined(separator: " "))
        }
        return commands
    }
}

/// Replies of a server, as it sends them.
enum Reply {
    static func info(_ runID: String) -> String {
        let text = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:\(runID)\r\nio: x\r\n"
        return "$\(text.utf8.count)\r\n\(text)\r\n"
    }

    static let primary =
        "*3\r\n$6\r\nmaster\r\n:3129659\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n9001\r\n$7\r\n3129242\r\n"
    static let replica = "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:9000\r\n$9\r\nconnected\r\n:3167038\r\n"
    static let sentinel = "*2\r\n$8\r\nsentinel\r\n*1\r\n$8\r\nmymaster\r\n"

    /// To a greeting without credentials.
    static let greeting = "+OK\r\n" + primary + info("run1")

    static func confirmation(_ kind: String, _ channel: String, _ count: Int = 1) -> String {
        "*3\r\n$\(kind.utf8.count)\r\n\(kind)\r\n$\(channel.utf8.count)\r\n\(channel)\r\n:\(count)\r\n"
    }

    static func message(_ channel: String, _ payload: String) -> String {
        "*3\r\n$7\r\nmessage\r\n$\(channel.utf8.count)\r\n\(channel)\r\n$\(payload.utf8.count)\r\n\(payload)\r\n"
    }
}
