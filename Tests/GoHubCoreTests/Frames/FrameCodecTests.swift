import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Messages of the bus as bytes, and whatever else comes as bytes.
struct FrameCodecTests {
    private static let names = ChannelNames()
    private let codec = FrameCodec(names: Self.names)

    private static func bytes(_ frame: ClusterFrame, _ codec: FrameCodec) throws -> [UInt8] {
        var codec = codec
        return try codec.encode(frame, for: names.channel(of: frame.topic))
    }

    private func bytes(_ frame: ClusterFrame) throws -> [UInt8] { try Self.bytes(frame, codec) }

    private func decode(
        _ bytes: [UInt8], on topic: ClusterTopic, _ codec: FrameCodec? = nil
    ) -> Result<ClusterFrame, FrameError> {
        bytes.withUnsafeBytes { bytes in
            Result { () throws(FrameError) in try (codec ?? self.codec).decode(bytes, on: topic) }
        }
    }

    private func error(_ bytes: [UInt8], on topic: ClusterTopic, _ codec: FrameCodec? = nil) -> FrameError? {
        guard case .failure(let error) = decode(bytes, on: topic, codec) else { return nil }
        return error
    }

    /// A keyed checksum in place of HMAC, which needs another library.
    private static func authenticator(_ key: UInt64) -> FrameAuthenticator {
        { first, second in
            var hash = key
            for byte in first { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            for byte in second { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            var digest: [UInt8] = []
            for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
                digest.append(UInt8(truncatingIfNeeded: hash >> shift))
            }
            guard let mac = FrameMAC(digest + digest) else { preconditionFailure("16 bytes are enough") }
            return mac
        }
    }

    // MARK: Round trips

    @Test(arguments: FrameKind.allCases, 0..<20 as Range<UInt64>)
    func messagesReturnAsTheyWere(_ kind: FrameKind, _ seed: UInt64) throws {
        var messages = RandomMessages(seed: seed)
        let frame = messages.next(kind)
        #expect(FrameKind(frame.message) == kind)
        #expect(try decode(bytes(frame), on: frame.topic) == .success(frame))
    }

    @Test func headerIsAsDesigned() throws {
        let frame = ClusterFrame(
            from: .number(0x0102_0304_0506_0708), time: HybridTime(value: 0x1112_1314_1516_1718), topic: .all, .bye)
        #expect(try bytes(frame) == [1, 1, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 17, 18, 19, 20, 21, 22, 23, 24])
    }

    /// Bytes that a release has written stay readable: an entry, whose form changes most likely.
    @Test func entryIsAsDesigned() throws {
        let message = StoredMessage(
            offset: 300, id: .named("c1"), from: Member(user: .alice, name: "Al"), at: WallTime(milliseconds: 1),
            text: "hi", replyTo: 2)
        let frame = ClusterFrame(
            from: .a, time: HybridTime(value: 1), topic: .room(.lobby),
            .entries(RoomEntries(Epoch("e"), [message], presence: 5)))
        let body: [UInt8] =
            [1, 0x65, 1, 5, 1, 22, 0xAC, 2, 2, 2, 0x63, 0x31, 5] + Array("alice".utf8) + [
                1, 2, 0x41, 0x6C, 2, 0x68, 0x69,
            ]
            + [1, 2, 0]
        #expect(try Array(bytes(frame).dropFirst(20)) == body)
    }

    @Test func longMessagesAreRefusedBeforeTheyAreSent() throws {
        var limits = FrameLimits()
        limits.frameBytesMax = 200
        let small = FrameCodec(names: Self.names, limits: limits)
        func frame(_ count: Int) -> ClusterFrame {
            let message = StoredMessage(
                offset: 1, id: .named("c"), from: Member(user: .alice), at: .ms(0),
                text: String(repeating: "a", count: count))
            return ClusterFrame(
                from: .a, time: HybridTime(value: 1), topic: .room(.lobby), .entries(RoomEntries(Epoch("e"), [message]))
            )
        }
        let fitting = try Self.bytes(frame(100), small)
        #expect(throws: FrameError.tooLong) { try Self.bytes(frame(200), small) }
        let long = try bytes(frame(200))
        #expect(error(long, on: .room(.lobby), small) == .malformed)
        #expect(error(fitting, on: .room(.lobby), small) == nil)
    }

    // MARK: Other versions

    @Test(arguments: FrameKind.allCases)
    func laterFieldsAreIgnored(_ kind: FrameKind) throws {
        var messages = RandomMessages(seed: 7)
        let frame = messages.next(kind)
        #expect(try decode(bytes(frame) + [1, 2, 3], on: frame.topic) == .success(frame))
    }

    @Test func laterFieldsOfAnEntryAreIgnored() throws {
        let message = StoredMessage(offset: 1, id: .named("c"), from: Member(user: .bob), at: .ms(0), text: "x")
        let frame = ClusterFrame(
            from: .a, time: HybridTime(value: 1), topic: .room(.lobby),
            .entries(RoomEntries(Epoch("e"), [message, message])))
        let whole = try bytes(frame)
        // Header, epoch, no presence, two entries of the same length.
        let length = Int(whole[24])
        #expect(whole.count == 25 + length + 1 + length)
        var longer = whole
        longer.insert(contentsOf: [9, 9], at: 25 + length)
        longer[24] += 2
        #expect(decode(longer, on: frame.topic) == .success(frame))
    }

    @Test func otherFormatsKindsAndFlagsAreRefused() throws {
        let frame = ClusterFrame(from: .a, time: HybridTime(value: 1), topic: .all, .bye)
        var bytes = try bytes(frame)
        bytes[0] = 2
        #expect(error(bytes, on: .all) == .unknownFormat(2))
        #expect(error([2], on: .all) == .unknownFormat(2))
        (bytes[0], bytes[1]) = (1, 9)
        #expect(error(bytes, on: .all) == nil)
        bytes[3] = 15
        #expect(error(bytes, on: .all) == .unknownKind(15))
        (bytes[2], bytes[3]) = (2, 2)
        #expect(error(bytes, on: .all) == .malformed)
        #expect(error([], on: .all) == .malformed)
    }

    @Test func zeroIncarnationAndImpossibleTimesAreRefused() throws {
        var bytes = try bytes(ClusterFrame(from: .a, time: .max, topic: .all, .bye))
        #expect(error(bytes, on: .all) == nil)
        bytes[19] = 1
        #expect(error(bytes, on: .all) == .malformed)
        bytes[12] = 0
        #expect(error(bytes, on: .all) == nil)
        bytes[11] = 0
        #expect(error(bytes, on: .all) == .malformed)
    }

    // MARK: Topics

    @Test func kindsStayOnTheirTopics() throws {
        var messages = RandomMessages(seed: 3)
        let topics: [ClusterTopic] = [
            .all, .node(.a), .room(.lobby), .user(UserKey(tenant: .standard, user: .alice)),
        ]
        for kind in FrameKind.allCases {
            let frame = messages.next(kind)
            let bytes = try bytes(frame)
            for topic in topics where !kind.belongs(to: topic) {
                #expect(error(bytes, on: topic) == .misplaced, "\(kind) on \(topic)")
            }
            #expect(topics.count { kind.belongs(to: $0) } == 1)
        }
    }

    @Test func claimIsOfTheTopicsUser() throws {
        let alice = UserKey(tenant: .standard, user: .alice)
        let bob = UserKey(tenant: .standard, user: .bob)
        let claim = SessionClaim(
            SessionKey(user: alice, device: .phone), ClaimStamp(HybridTime(value: 1), .a), .new)
        let bytes = try bytes(ClusterFrame(from: .a, time: HybridTime(value: 1), topic: .user(alice), .claim(claim)))
        guard case .success(let heard) = decode(bytes, on: .user(bob)), case .claim(let other) = heard.message else {
            Issue.record("it can't be read")
            return
        }
        #expect(other.key.user == bob)
    }

    @Test func directConversationIsOneOfTheTopicsUser() throws {
        let room = RoomName.direct(.alice, .bob)
        func bytes(to user: UserID) throws -> [UInt8] {
            try self.bytes(
                ClusterFrame(
                    from: .a, time: HybridTime(value: 1), topic: .user(UserKey(tenant: .standard, user: user)),
                    .directTyped(room, .alice, isActive: true)))
        }
        for user in [UserID.alice, .bob] {
            #expect(try error(bytes(to: user), on: .user(UserKey(tenant: .standard, user: user))) == nil)
        }
        let carol = ClusterTopic.user(UserKey(tenant: .standard, user: .carol))
        #expect(try error(bytes(to: .bob), on: carol) == .misplaced)
    }

    // MARK: The key

    @Test func keyAuthenticatesFrameAndChannel() throws {
        let signed = FrameCodec(names: Self.names, authenticators: [Self.authenticator(1)])
        let frame = ClusterFrame(from: .a, time: HybridTime(value: 1), topic: .room(.lobby), .presenceIs(77))
        let bytes = try Self.bytes(frame, signed)
        #expect(bytes.count == 20 + 1 + 16)
        #expect(decode(bytes, on: frame.topic, signed) == .success(frame))
        #expect(error(bytes, on: .room(.named("other")), signed) == .unauthenticated)
        for index in bytes.indices.dropFirst() {
            var damaged = bytes
            damaged[index] ^= 1
            #expect(error(damaged, on: frame.topic, signed) != nil, "byte \(index)")
        }
        #expect(error(Array(bytes.dropLast()), on: frame.topic, signed) == .unauthenticated)
        // Without the MAC, and without the flag that says so.
        #expect(try error(self.bytes(frame), on: frame.topic, signed) == .unauthenticated)
        // A node without the key hears the others.
        #expect(decode(bytes, on: frame.topic) == .success(frame))
    }

    @Test func earlierKeysAreAcceptedAndDoNotSign() throws {
        let old = FrameCodec(names: Self.names, authenticators: [Self.authenticator(1)])
        let both = FrameCodec(names: Self.names, authenticators: [Self.authenticator(2), Self.authenticator(1)])
        let new = FrameCodec(names: Self.names, authenticators: [Self.authenticator(2)])
        let frame = ClusterFrame(from: .a, time: HybridTime(value: 1), topic: .all, .bye)
        #expect(try error(Self.bytes(frame, old), on: .all, both) == nil)
        #expect(try error(Self.bytes(frame, both), on: .all, new) == nil)
        #expect(try error(Self.bytes(frame, both), on: .all, old) == .unauthenticated)
        #expect(FrameMAC([UInt8](repeating: 0, count: 15)) == nil)
    }

    // MARK: Any bytes

    @Test(arguments: FrameKind.allCases)
    func truncatedFramesAreRefused(_ kind: FrameKind) throws {
        var messages = RandomMessages(seed: 11)
        let frame = messages.next(kind)
        let bytes = try bytes(frame)
        for count in Swift.stride(from: 0, to: bytes.count, by: max(1, bytes.count / 300)) {
            #expect(error(Array(bytes.prefix(count)), on: frame.topic) != nil, "\(count) of \(bytes.count) bytes")
        }
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func damagedFramesAreReadOrRefused(_ seed: UInt64) throws {
        var messages = RandomMessages(seed: 500 + seed)
        for kind in FrameKind.allCases {
            let frame = messages.next(kind)
            let whole = try bytes(frame)
            for _ in 0..<20 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...3, using: &messages.random) {
                    let index = Int.random(in: bytes.indices, using: &messages.random)
                    switch messages.random.next() % 4 {
                    case 0: bytes[index] = UInt8(truncatingIfNeeded: messages.random.next())
                    case 1: bytes[index] = messages.random.pick([0, 1, 0x7F, 0x80, 0xFF]) ?? 0
                    case 2 where bytes.count > 1: bytes.remove(at: index)
                    default: bytes.insert(UInt8(truncatingIfNeeded: messages.random.next()), at: index)
                    }
                }
                // Whatever is accepted can be written, and means the same then.
                guard case .success(let heard) = decode(bytes, on: frame.topic) else { continue }
                #expect(try decode(self.bytes(heard), on: heard.topic) == .success(heard), "seed \(seed)")
            }
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func noiseNeverTraps(_ seed: UInt64) {
        var random = SeededRandom(seed: 900 + seed)
        for _ in 0..<500 {
            let kind = random.pick(FrameKind.allCases) ?? .bye
            let header: [UInt8] = [1, 1, 0, kind.rawValue] + [UInt8](repeating: 1, count: 16)
            let body = random.bytes(Int(random.next() % 60)).map { random.once(in: 2) ? $0 & 7 : $0 }
            for topic in [ClusterTopic.all, .node(.a), .room(.lobby), .user(UserKey(tenant: .standard, user: .bob))]
            where kind.belongs(to: topic) {
                guard case .success(let heard) = decode(header + body, on: topic) else { continue }
                #expect(heard.topic == topic)
            }
        }
    }

    @Test func numbersHaveOneSpelling() throws {
        func read(_ bytes: [UInt8]) -> UInt64? {
            bytes.withUnsafeBytes { bytes in
                var reader = FrameReader(bytes, limits: FrameLimits())
                return try? reader.number()
            }
        }
        for number in [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 1 << 56, (1 << 63) - 1, 1 << 63, .max] as [UInt64] {
            var writer = FrameWriter()
            writer.number(number)
            #expect(read(writer.bytes) == number)
            #expect(read(writer.bytes.dropLast() + [(writer.bytes.last ?? 0) | 0x80, 0]) == nil)
        }
        #expect(read([UInt8](repeating: 0xFF, count: 9) + [2]) == nil)
        #expect(read([UInt8](repeating: 0x80, count: 20)) == nil)
        for number in [0, 1, -1, 63, -64, .max, .min] as [Int64] {
            var writer = FrameWriter()
            writer.signed(number)
            let isSame = writer.bytes.withUnsafeBytes { bytes in
                var reader = FrameReader(bytes, limits: FrameLimits())
                return (try? reader.signed()) == number
            }
            #expect(isSame, "\(number)")
        }
    }
}
