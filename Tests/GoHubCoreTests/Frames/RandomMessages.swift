import GoHubTestSupport

@testable import GoHubCore

/// Messages of every kind, with every case and bound of their parts.
struct RandomMessages {
    var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    /// A message and a topic on which it may be sent.
    mutating func next(_ kind: FrameKind) -> ClusterFrame {
        let user = UserKey(tenant: tenant(), user: self.user())
        let topic: ClusterTopic =
            switch kind.rawValue {
            case ..<16: .all
            case ..<32: .node(incarnation())
            case ..<64: .room(room())
            default: .user(user)
            }
        return ClusterFrame(from: incarnation(), time: time(), topic: topic, message(kind, user))
    }

    private mutating func message(_ kind: FrameKind, _ user: UserKey) -> ClusterMessage {
        switch kind {
        case .beat: .beat(beat())
        case .bye: .bye
        case .returned: .returned
        case .ask: .ask(number: random.next(), flag() ? .rooms(tenant()) : .remove(user, .removed))
        case .reply:
            .reply(
                number: random.next(), flag() ? .rooms(list { $0.room().name }) : .removed(sessions: number(1 << 31)))
        case .claimAnswered: .claimAnswered(ClaimAnswer(SessionKey(user: user, device: .phone), stamp(), verdict()))
        case .presencePart:
            .presencePart(room(), PresencePart(version: offset(), number: number(5), of: 6, list { $0.member() }))
        case .presenceWantedOf: .presenceWantedOf(room())
        case .entries: .entries(entries())
        case .head: .head(Position(epoch: epoch(), offset: offset()))
        case .ephemeral: .ephemeral(content(.plain), at: wall())
        case .typed: .typed(self.user(), isActive: flag())
        case .receipts: .receipts(epoch(), receipts())
        case .presence:
            .presence(
                PresenceUpdate(
                    from: flag() ? offset() : nil, to: offset(), joined: list { $0.member() }, left: list { $0.user() },
                    isMove: flag()))
        case .presenceIs: .presenceIs(offset())
        case .presenceWanted: .presenceWanted
        case .moderated:
            .moderated(
                Sanction(
                    random.pick([.kick, .mute(minutes: offset()), .ban(minutes: offset()), .pardon]) ?? .kick,
                    user: self.user(), by: member()))
        case .sanctionsChanged: .sanctionsChanged
        case .inDoubt: .inDoubt(self.user(), .named(text(20)))
        case .claim:
            .claim(
                SessionClaim(
                    SessionKey(user: user, device: .named(text(20))), stamp(),
                    flag() ? .new : .again(idle: Milliseconds(UInt64(number(1 << 40))))))
        case .direct: .direct(.direct(user.user, self.user()), entries())
        case .directEphemeral: .directEphemeral(.direct(user.user, self.user()), content(.plain), at: wall())
        case .directTyped: .directTyped(.direct(self.user(), user.user), self.user(), isActive: flag())
        case .directReceipts: .directReceipts(.direct(user.user, user.user), epoch(), receipts())
        }
    }

    // MARK: Parts

    mutating func flag() -> Bool { random.once(in: 2) }

    /// From 0 to a bound, mostly small, sometimes the bound itself.
    mutating func number(_ max: Int) -> Int {
        if random.once(in: 10) { return max }
        return Int(random.next() >> (random.next() % 63 + 1)) % max
    }

    mutating func offset() -> Offset { UInt64(number(.max - 1)) }

    mutating func wall() -> WallTime { WallTime(milliseconds: Int64(number(1 << 53)) * (flag() ? 1 : -1)) }

    mutating func text(_ count: Int) -> String {
        let letters = Array("abcXYZ09-_.:%@é√😀\"\\ /".unicodeScalars)
        var text = "x"
        for _ in 0..<Int(random.next() % UInt64(count)) {
            let next = random.pick(letters) ?? "a"
            guard text.utf8.count + UTF8.width(next) <= count else { break }
            text.unicodeScalars.append(next)
        }
        return text
    }

    mutating func list<Element>(_ make: (inout RandomMessages) -> Element) -> [Element] {
        (0..<Int(random.next() % (random.once(in: 20) ? 200 : 4))).map { _ in make(&self) }
    }

    mutating func tenant() -> TenantID { TenantID(text(10)) ?? .standard }
    mutating func user() -> UserID { .named(text(random.once(in: 10) ? 128 : 12)) }
    mutating func epoch() -> Epoch { Epoch(text(64)) }
    mutating func incarnation() -> NodeIncarnation { .number(random.next() | 1) }
    mutating func time() -> HybridTime { HybridTime(value: random.next() >> 1) }
    mutating func stamp() -> ClaimStamp { ClaimStamp(time(), incarnation()) }
    mutating func member() -> Member { Member(user: user(), name: flag() ? text(300) : nil) }

    mutating func room() -> RoomID {
        RoomID(tenant: tenant(), name: flag() ? .direct(user(), user()) : RoomName(text(3)) ?? .lobby)
    }

    mutating func receipts() -> [UserReceipt] {
        list { UserReceipt(user: $0.user(), Receipt(delivered: $0.offset(), seen: $0.offset())) }
    }

    mutating func beat() -> NodeBeat {
        let status = NodeStatus(
            isDraining: flag(), isBusHealthy: flag() ? flag() : nil, busID: flag() ? text(40) : nil)
        let name = NodeName("node-\(number(100))") ?? Self.node
        return NodeBeat(name, status, sessions: number(1 << 31), rooms: number(1 << 31), wall: wall())
    }

    private static let node: NodeName = {
        guard let name = NodeName("node") else { preconditionFailure("no name") }
        return name
    }()

    mutating func verdict() -> ClaimAnswer.Verdict {
        switch random.next() % 5 {
        case 0: .free(sessions: number(1 << 31))
        case 1: .clearing
        case 2: .outranked(by: stamp(), age: Milliseconds(UInt64(number(1 << 40))))
        case 3: .holds(stamp(), idle: Milliseconds(UInt64(number(1 << 40))))
        default: .outlived
        }
    }

    mutating func entries() -> RoomEntries {
        let entries = list { random in
            let kind: MessageContent.Kind
            switch random.random.next() % 4 {
            case 0: kind = .plain
            case 1: kind = .amended(random.amendments())
            case 2: kind = .attached(random.list { $0.file() }, random.flag() ? random.amendments() : nil)
            default: kind = .change(random.change())
            }
            return StoredMessage(offset: max(1, random.offset()), at: random.wall(), random.content(kind))
        }
        return RoomEntries(epoch(), entries, presence: flag() ? offset() : nil)
    }

    mutating func content(_ kind: MessageContent.Kind) -> MessageContent {
        MessageContent(
            id: .named(text(64)), from: member(), text: flag() ? "" : text(random.once(in: 10) ? 5000 : 100),
            replyTo: flag() ? offset() : nil, kind: kind)
    }

    private mutating func change() -> MessageChange {
        switch random.next() % 3 {
        case 0: MessageChange(of: offset(), .edited)
        case 1: MessageChange(of: offset(), .deleted)
        default: MessageChange(of: offset(), .reaction(.thumb, isRemoval: flag(), count: number(1 << 31)))
        }
    }

    private mutating func amendments() -> Amendments {
        func mark(_ random: inout RandomMessages) -> Amendments.Mark? {
            random.flag() ? Amendments.Mark(offset: random.offset(), at: random.wall()) : nil
        }
        return Amendments(
            edited: mark(&self), deleted: mark(&self),
            reactions: list { random in
                Amendments.Tally(.heart, count: random.number(1 << 31), users: random.list { $0.user() })
            })
    }

    private mutating func file() -> AttachedFile {
        AttachedFile(
            id: .random(), name: FileName(cleaning: text(200)), type: .png, size: offset(),
            image: flag()
                ? ImageProperties(
                    width: number(1 << 31), height: number(1 << 31), placeholder: text(28), hasPreview: flag()) : nil,
            alt: flag() ? AltText(text(500)) : nil)
    }
}
