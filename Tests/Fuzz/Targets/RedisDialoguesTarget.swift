internal import GoHubTestSupport

@testable import GoHubCore
@testable import GoHubRedis

extension FuzzTarget {
    /// What a server says on each of the three connections. The first byte chooses the connection, the second how the
    /// rest is split.
    static let redisDialogues = FuzzTarget("redisDialogues", bytesMax: 4096) { bytes in
        var input = FuzzInput(bytes)
        let kind = input.byte() % 3
        let cut = input.byte()
        let stream = Array(input.rest)
        let whole = told(kind, [stream])
        try requireEqual(whole, told(kind, stream.parts(cut: cut)), "a server is heard alike however its bytes are cut")
        let failures = whole.filter { $0.hasPrefix("failed") }
        try require(failures.isEmpty || (failures.count == 1 && whole.last == failures[0]), "nothing follows a failure")
        try require(!whole.contains { $0.contains(password) }, "no event has the password")
    }

    private static let password = "hunter2-hunter2"

    private static func told(_ kind: UInt8, _ parts: [[UInt8]]) -> [String] {
        let credentials = RedisCredentials(user: "hub", password: password)
        let introduction = RedisIntroduction(credentials: credentials, name: "fuzz")
        var limits = RedisLimits()
        limits.channelsInFlightMax = 2
        limits.channelsPerCommandMax = 2
        let now = MonotonicTime(nanoseconds: 0)
        switch kind {
        case 0:
            var dialogue = CommandDialogue(introduction, limits: limits, now: now)
            var number: UInt64 = 0
            return parts.flatMap { part in
                let events = hear(&dialogue, part) { event, dialogue in
                    // Something to answer, from the greeting on.
                    if case .connected = event {
                        for _ in 0..<3 {
                            number += 1
                            _ = [UInt8(1)].withUnsafeBytes { dialogue.publish(number, to: [97], $0, now: now) }
                        }
                    }
                }
                return events.map { event in
                    if case .failed(let error) = event { "failed \(error)" } else { "\(event)" }
                }
            }
        case 1:
            var dialogue = SubscriptionDialogue(introduction, names: ChannelNames(), limits: limits, now: now)
            dialogue.subscribe([.all, .room(.lobby), .user(UserKey(tenant: .standard, user: .alice))], now: now)
            return parts.flatMap { part in
                hear(&dialogue, part) { _, _ in }.flatMap { event in
                    switch event {
                    case .failed(let error): ["failed \(error)"]
                    // They are gathered as they arrive.
                    case .subscribed(let topics):
                        topics.map { "subscribed \(ChannelNames().channel(of: $0))" }
                    case .message(let topic): ["message \(ChannelNames().channel(of: topic))"]
                    case .connected(let server): ["\(server)"]
                    }
                }
            }
        default:
            var dialogue = SentinelDialogue(master: "main", credentials: credentials, limits: limits, now: now)
            return parts.flatMap { part in
                hear(&dialogue, part) { event, dialogue in
                    if case .answered = event { dialogue.watch(now: now) }
                }.map { event in
                    if case .failed(let error) = event { "failed \(error)" } else { "\(event)" }
                }
            }
        }
    }

    private static func hear<D: FuzzedDialogue>(
        _ dialogue: inout D, _ part: [UInt8], _ react: (D.Event, inout D) -> Void
    ) -> [D.Event] {
        var events: [D.Event] = []
        var rest = part[...]
        repeat {
            let count = dialogue.receive(now: MonotonicTime(nanoseconds: 0)) { memory in
                let fitting = rest.prefix(memory.count)
                memory.copyBytes(from: fitting)
                return fitting.count
            }
            rest = rest.dropFirst(count)
            while let event = dialogue.next() {
                react(event, &dialogue)
                events.append(event)
            }
        } while !rest.isEmpty
        return events
    }
}

private protocol FuzzedDialogue {
    associatedtype Event
    mutating func next() -> Event?
    mutating func receive<Failure: Error>(
        now: MonotonicTime, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int
}

extension CommandDialogue: FuzzedDialogue {}
extension SubscriptionDialogue: FuzzedDialogue {}
extension SentinelDialogue: FuzzedDialogue {}
