import GoHubTestSupport
import Testing

@testable import GoHubCore

/// A room's users on other nodes, told by updates and parts.
struct RoomPresenceTests {
    private var presence = RoomPresence(limits: ClusterLimits())
    private let alice = Member(user: .alice)
    private let bob = Member(user: .bob)
    private let carol = Member(user: .carol)

    private func act(
        _ presence: inout RoomPresence, _ body: (inout RoomPresence, inout [RoomPresence.Action]) -> Void
    ) -> [RoomPresence.Action] {
        var actions: [RoomPresence.Action] = []
        body(&presence, &actions)
        return actions
    }

    private mutating func update(
        _ node: NodeIncarnation = .b, from: PresenceVersion?, to: PresenceVersion, joined: [Member] = [],
        left: [UserID] = [], isMove: Bool = false, at milliseconds: UInt64 = 0
    ) -> [RoomPresence.Action] {
        let update = PresenceUpdate(from: from, to: to, joined: joined, left: left, isMove: isMove)
        return act(&presence) { $0.updated(update, from: node, now: .ms(milliseconds), into: &$1) }
    }

    private mutating func part(
        _ version: PresenceVersion, _ members: [Member], _ number: Int = 0, of count: Int = 1,
        from node: NodeIncarnation = .b, at milliseconds: UInt64 = 0
    ) -> [RoomPresence.Action] {
        let part = PresencePart(version: version, number: number, of: count, members)
        return act(&presence) { $0.partReceived(part, from: node, now: .ms(milliseconds), into: &$1) }
    }

    private mutating func advance(to milliseconds: UInt64) -> [RoomPresence.Action] {
        act(&presence) { $0.timeAdvanced(now: .ms(milliseconds), into: &$1) }
    }

    private var users: [UserID] { presence.members.map(\.user).sorted() }

    // MARK: Updates

    @Test mutating func updatesApplyInTheOrderOfTheirVersions() {
        #expect(update(from: nil, to: 10, joined: [alice]) == [.changed(.alice, isPresent: true)])
        #expect(update(from: 10, to: 11, joined: [bob]) == [.changed(.bob, isPresent: true)])
        #expect(update(from: 11, to: 12, left: [.alice]) == [.changed(.alice, isPresent: false)])
        #expect(users == [.bob] && presence.version(of: .b) == 12)
    }

    @Test mutating func repeatedAndOldUpdatesChangeNothing() {
        _ = update(from: nil, to: 10, joined: [alice])
        _ = update(from: 10, to: 11, left: [.alice])
        #expect(update(from: nil, to: 10, joined: [alice]) == [])
        #expect(update(from: 10, to: 11, left: [.alice]) == [])
        #expect(users == [])
    }

    @Test mutating func userOfTwoNodesIsOneUser() {
        #expect(update(.b, from: nil, to: 10, joined: [alice]) == [.changed(.alice, isPresent: true)])
        #expect(update(.c, from: nil, to: 20, joined: [alice]) == [])
        #expect(presence.count == 1)
        #expect(update(.b, from: 10, to: 11, left: [.alice]) == [])
        #expect(update(.c, from: 20, to: 21, left: [.alice]) == [.changed(.alice, isPresent: false)])
    }

    @Test mutating func newNameIsAdopted() {
        _ = update(from: nil, to: 10, joined: [alice])
        #expect(update(from: 10, to: 11, joined: [Member(user: .alice, name: "Al")]) == [])
        #expect(presence.member(.alice)?.name == "Al")
    }

    /// The room was evicted and has come back, and the update that emptied it was lost.
    @Test mutating func updateOfANewLifeReplacesTheSet() {
        _ = update(from: nil, to: 10, joined: [alice, bob])
        #expect(
            update(from: nil, to: 500, joined: [bob, carol]) == [
                .changed(.alice, isPresent: false), .changed(.carol, isPresent: true),
            ])
        #expect(users == [.bob, .carol])
    }

    // MARK: Gaps

    @Test mutating func lostUpdateIsFoundByTheNextAndTheSetAskedForOnce() {
        _ = update(from: nil, to: 10, joined: [alice])
        #expect(update(from: 11, to: 12, joined: [carol]) == [.ask(.b)])
        #expect(update(from: 12, to: 13, left: [.alice]) == [])
        #expect(users == [.alice])
        // The set as it was before the last update.
        #expect(
            part(12, [alice, bob, carol]) == [
                .changed(.bob, isPresent: true), .changed(.carol, isPresent: true),
                .changed(.alice, isPresent: false),
            ])
        #expect(users == [.bob, .carol] && presence.version(of: .b) == 13)
    }

    @Test mutating func reorderedUpdatesNeedNoAnswer() {
        _ = update(from: nil, to: 10, joined: [alice])
        #expect(update(from: 11, to: 12, joined: [carol]) == [.ask(.b)])
        #expect(
            update(from: 10, to: 11, joined: [bob]) == [
                .changed(.bob, isPresent: true), .changed(.carol, isPresent: true),
            ])
        #expect(presence.version(of: .b) == 12)
        #expect(presence.due == .ms(90_000), "nothing is asked any more")
    }

    @Test mutating func versionRevealsALostUpdate() {
        _ = update(from: nil, to: 10, joined: [alice])
        #expect(act(&presence) { $0.versionHeard(10, from: .b, now: .ms(0), into: &$1) } == [])
        #expect(act(&presence) { $0.versionHeard(11, from: .b, now: .ms(0), into: &$1) } == [.ask(.b)])
        #expect(act(&presence) { $0.versionHeard(11, from: .c, now: .ms(0), into: &$1) } == [.ask(.c)])
        #expect(presence.isPartial, "node c was never heard")
    }

    @Test mutating func unknownNodeWithAnUpdateInTheMiddleIsAsked() {
        #expect(update(from: 41, to: 42, joined: [bob]) == [.ask(.b)])
        #expect(part(41, [alice]) == [.changed(.alice, isPresent: true), .changed(.bob, isPresent: true)])
    }

    // MARK: Parts

    @Test mutating func partsMakeASetWhenAllAreThere() {
        #expect(part(10, [bob], 1, of: 2) == [])
        #expect(part(10, [bob], 1, of: 2) == [])
        #expect(part(10, [alice], 0, of: 2).count == 2)
        #expect(users == [.alice, .bob])
    }

    @Test mutating func partsOfANewerSetReplaceTheOlder() {
        _ = part(10, [alice], 0, of: 2)
        _ = part(12, [bob], 0, of: 2)
        #expect(part(10, [alice], 1, of: 2) == [])
        #expect(part(12, [carol], 1, of: 2).count == 2)
        #expect(users == [.bob, .carol])
        #expect(part(11, [alice]) == [], "older than what is known")
    }

    @Test(arguments: [(0, 0), (-1, 1), (1, 1), (2, 1), (0, -1), (0, Int.max)])
    mutating func impossiblePartsAreIgnored(number: Int, count: Int) {
        #expect(part(10, [alice], number, of: count) == [])
        #expect(users == [])
    }

    @Test func setIsSplitIntoParts() {
        let members = (0..<5).map { Member(user: .named("u\($0)")) }
        let parts = PresencePart.parts(of: members, version: 7, usersMax: 2)
        #expect(parts.map(\.members.count) == [2, 2, 1] && parts.map(\.number) == [0, 1, 2])
        #expect(parts.allSatisfy { $0.count == 3 && $0.version == 7 })
        #expect(PresencePart.parts(of: [], version: 7, usersMax: 2) == [PresencePart(version: 7, number: 0, of: 1, [])])
    }

    // MARK: Ends

    @Test mutating func deadNodesUsersGoInOneStep() {
        _ = update(.b, from: nil, to: 10, joined: [alice, bob])
        _ = update(.c, from: nil, to: 10, joined: [bob])
        #expect(
            act(&presence) { $0.nodeEnded(.b, now: .ms(0), into: &$1) } == [.changed(.alice, isPresent: false)])
        #expect(users == [.bob])
    }

    @Test mutating func userWhoMovesStaysPresent() {
        _ = update(.b, from: nil, to: 10, joined: [alice, bob])
        #expect(update(.b, from: 10, to: 11, left: [.alice, .bob], isMove: true) == [])
        #expect(update(.c, from: nil, to: 20, joined: [alice], at: 2000) == [])
        #expect(act(&presence) { $0.nodeEnded(.b, now: .ms(3000), into: &$1) } == [])
        #expect(presence.due == .ms(10_000))
        #expect(advance(to: 9_999) == [])
        #expect(advance(to: 10_000) == [.changed(.bob, isPresent: false)])
        #expect(users == [.alice])
    }

    @Test mutating func nodeThatMovedItsUsersMayEnd() {
        _ = update(.b, from: nil, to: 10, joined: [alice])
        #expect(act(&presence) { $0.nodeEnded(.b, isMove: true, now: .ms(0), into: &$1) } == [])
        #expect(advance(to: 10_000) == [.changed(.alice, isPresent: false)])
        #expect(presence.isEmpty && presence.due == nil)
    }

    @Test mutating func setThatNothingConfirmsIsAskedForUntilItIsAnswered() {
        _ = update(from: nil, to: 10, joined: [alice])
        #expect(advance(to: 89_999) == [])
        #expect(advance(to: 90_000) == [.ask(.b)])
        #expect(advance(to: 91_999) == [])
        #expect(advance(to: 92_000) == [.ask(.b)])
        #expect(advance(to: 95_999) == [])
        #expect(advance(to: 96_000) == [.ask(.b)])
        #expect(users == [.alice], "a node that doesn't answer is judged elsewhere")
        #expect(part(999, [], at: 97_000) == [.changed(.alice, isPresent: false)])
        #expect(advance(to: 187_000) == [])
        #expect(presence.isEmpty)
    }

    // MARK: Bounds

    @Test mutating func setWithoutSpaceIsDroppedAndAskedForLater() {
        var limits = ClusterLimits()
        limits.presenceUsersMax = 2
        presence = RoomPresence(limits: limits)
        _ = update(.b, from: nil, to: 10, joined: [alice])
        #expect(
            update(.c, from: nil, to: 10, joined: [bob, carol]) == [
                .changed(.bob, isPresent: true), .changed(.carol, isPresent: true),
                .changed(.bob, isPresent: false), .changed(.carol, isPresent: false),
            ])
        #expect(presence.isPartial && users == [.alice])
        #expect(update(.c, from: 10, to: 11, left: [.bob]) == [])
        _ = act(&presence) { $0.nodeEnded(.b, now: .ms(0), into: &$1) }
        #expect(advance(to: 90_000) == [.ask(.c)])
        #expect(part(11, [carol], from: .c) == [.changed(.carol, isPresent: true)])
        #expect(!presence.isPartial)
    }

    @Test mutating func heldUpdatesAreBounded() {
        var limits = ClusterLimits()
        limits.presenceHeldUpdatesMax = 1
        presence = RoomPresence(limits: limits)
        #expect(update(from: 11, to: 12, joined: [bob]) == [.ask(.b)])
        #expect(update(from: 12, to: 13, joined: [carol]) == [])
        #expect(part(11, [alice]).count == 2)
        #expect(presence.version(of: .b) == 12)
        #expect(update(from: 13, to: 14, left: [.bob]) == [.ask(.b)], "the gap is found again")
    }

    // MARK: The source

    @Test func sourceTellsWhatHasChangedInTheEnd() throws {
        var source = PresenceSource(start: HybridTime(value: 100))
        source.note(.alice, wasPresent: false)
        source.note(.bob, wasPresent: false)
        source.note(.bob, wasPresent: true)
        let first = source.takeUpdate(usersMax: 10) { [.alice: alice][$0] }
        #expect(first == PresenceUpdate(from: nil, to: 101, joined: [alice]))
        source.note(.alice, wasPresent: true)
        source.note(.alice, wasPresent: false)
        #expect(source.takeUpdate(usersMax: 10) { [.alice: alice][$0] } == nil, "she came back")
        source.note(.alice, wasPresent: true, isRenamed: true)
        #expect(
            source.takeUpdate(usersMax: 10) { [.alice: alice][$0] }
                == PresenceUpdate(from: 101, to: 102, joined: [alice]))
        source.note(.alice, wasPresent: true)
        #expect(
            source.takeUpdate(usersMax: 10, isMove: true) { _ in nil }
                == PresenceUpdate(from: 102, to: 103, left: [.alice], isMove: true))
    }

    @Test func largeChangesAreSeveralUpdates() {
        var source = PresenceSource(start: HybridTime(value: 100))
        for number in 0..<5 { source.note(.named("u\(number)"), wasPresent: false) }
        var updates: [PresenceUpdate] = []
        while let update = source.takeUpdate(usersMax: 2, member: { Member(user: $0) }) { updates.append(update) }
        #expect(updates.map(\.joined.count) == [2, 2, 1])
        #expect(updates.map(\.from) == [nil, 101, 102] && updates.map(\.to) == [101, 102, 103])
    }
}
