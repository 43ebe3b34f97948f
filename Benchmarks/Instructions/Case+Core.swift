import GoHubCore
import Synchronization

/// Counts the events that it is offered, and discards them.
private final class CountingPump: WritePump, Sendable {
    private let offered = Atomic(0)

    var count: Int { offered.load(ordering: .relaxed) }

    func offer(_ event: EncodedEvent) -> OfferResult {
        offered.add(1, ordering: .relaxed)
        return .accepted
    }

    func close(_ code: CloseCode) {}
}

/// Conditions that are the same in every run: time stands still, epochs aren't random, and no limit is reached.
enum Fixed {
    static let messagesKept = 50
    static let wall = WallTime(milliseconds: 1_700_000_000_000)
    static let time = Hub.Time(now: { MonotonicTime(nanoseconds: 1_000_000_000) }, wall: { wall })

    static var store: InMemoryMessageStore {
        InMemoryMessageStore(capacity: .init(messagesPerRoomMax: messagesKept), seed: 1)
    }

    /// The rate limiter is on, but its limits are never reached.
    static var limiter: RateLimiter {
        let rate = RateLimiter.Rate(1_000_000, per: 1_000, burst: 1_000_000_000)
        return RateLimiter(.init(connection: rate, user: rate, address: rate, room: rate))
    }

    static func user(_ number: Int) throws -> Credentials {
        guard let user = UserID("user-\(number)") else { throw Failure("no user \(number)") }
        return Credentials(user: user)
    }

    static func send(_ number: Int, text: String) -> String {
        #"{"op":"send","id":"m-\#(number)","room":"room","text":"\#(text)"}"#
    }

    static let hello = #"{"op":"hello","device":"d"}"#
    static let join = #"{"op":"join","id":"j","room":"room"}"#
    static let leave = #"{"op":"leave","id":"l","room":"room"}"#
}

extension Case {
    func decodes(_ times: Int, text: String) throws {
        let decoder = CommandDecoder(limits: Limits())
        let command = Array(Fixed.send(1, text: text).utf8)
        for _ in 0..<times {
            _ = try command.withUnsafeBytes { bytes in try decoder.decode(bytes) }
        }
    }

    func messages(_ times: Int, members: Int) async throws {
        var limits = Limits()
        limits.membersListedMax = 1  // a thousand long lists would take much longer than all messages
        let context = SessionContext(limits: limits, limiter: Fixed.limiter)
        let hub = Hub(context: context, store: Fixed.store, time: Fixed.time)
        let joined = try await attach(members, to: hub)
        let sends = (0..<Case.timesMax).map { Fixed.send($0, text: String(repeating: "x", count: 128)) }
        let before = joined.reduce(0) { $0 + $1.pump.count }
        guard let sender = joined.first else { return }
        for send in sends.prefix(times) { await sender.connection.receive(send) }
        let events = joined.reduce(0) { $0 + $1.pump.count } - before
        guard events == times * (members + 1) else { throw Failure("\(events) events came of \(times) messages") }
    }

    func joinsAndLeaves(_ times: Int) async throws {
        let hub = Hub(context: SessionContext(limiter: Fixed.limiter), store: Fixed.store, time: Fixed.time)
        let members = try await attach(11, to: hub)
        guard let one = members.last else { return }
        for number in 0..<Fixed.messagesKept { await one.connection.receive(Fixed.send(number, text: "hello")) }
        await one.connection.receive(Fixed.leave)
        let before = one.pump.count
        for _ in 0..<times {
            await one.connection.receive(Fixed.join)
            await one.connection.receive(Fixed.leave)
        }
        let events = one.pump.count - before
        guard events >= 2 * times else { throw Failure("\(events) events came of \(times) joins and leaves") }
    }

    private func attach(
        _ members: Int, to hub: Hub
    ) async throws -> [(connection: Hub.Connection, pump: CountingPump)] {
        var attached: [(connection: Hub.Connection, pump: CountingPump)] = []
        for number in 0..<members {
            let pump = CountingPump()
            let connection = hub.attach(pump, address: "10.0.0.1", credentials: try Fixed.user(number))
            await connection.receive(Fixed.hello)
            await connection.receive(Fixed.join)
            guard pump.count >= 2 else { throw Failure("member \(number) couldn't join") }
            attached.append((connection, pump))
        }
        return attached
    }

    func verifiesToken(_ times: Int) async throws {
        let secret = [UInt8](repeating: 7, count: 32)
        let verifier = try JWTVerifier(
            keys: try VerificationKeys([.secret(secret)]), configuration: try JWTVerifier.Configuration(),
            wallClock: { Fixed.wall })
        guard let user = UserID("alice") else { throw Failure("no user") }
        let expiry = WallTime(milliseconds: Fixed.wall.milliseconds + 3_600_000)
        let token = try TokenMinter(secret: secret).mint(user: user, expiresAt: expiry)
        for _ in 0..<times {
            let credentials = try await verifier.verify(token)
            guard credentials.user == user else { throw Failure("The token belongs to another user.") }
        }
    }
}
