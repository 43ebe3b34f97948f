import GoHubTestSupport
import Testing

@testable import GoHubCore

/// The users of a room on all nodes, as the members of one node see them.
struct HubStateClusterPresenceTests {
    private func update(
        from: PresenceVersion? = nil, to: PresenceVersion, joined: [UserID] = [], left: [UserID] = []
    ) -> ClusterMessage {
        .presence(PresenceUpdate(from: from, to: to, joined: joined.map { Member(user: $0) }, left: left))
    }

    private func updates(_ actions: [HubAction]) -> [PresenceUpdate] {
        actions.published.compactMap { if case .presence(let update) = $0.message { update } else { nil } }
    }

    private func join(_ serial: UInt64, _ user: UserID, _ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.settle(now: .ms(time)) { $0.joined(.make(.number(serial), user), now: .ms(time), into: &$1) }
    }

    private func leave(_ serial: UInt64, _ state: inout HubState, at time: UInt64) -> [HubAction] {
        state.actions { $0.left(.number(serial), .lobby, id: .named("l"), now: .ms(time), into: &$1) }
    }

    // MARK: This node's users

    @Test func usersAreToldToTheOthersAfter50Milliseconds() {
        var state = HubState.makeOnBus(.alice)
        #expect(updates(join(2, .bob, &state, at: 1000)) == [])
        #expect(updates(join(3, .carol, &state, at: 1020)) == [])
        #expect(updates(state.timerFires(at: .ms(1049))) == [])
        let told = updates(state.timerFires(at: .ms(1050)))
        #expect(told.map(\.joined) == [[Member(user: .bob), Member(user: .carol)]])
        #expect(told.map(\.left) == [[]])
        _ = leave(2, &state, at: 1100)
        let next = updates(state.timerFires(at: .ms(1150)))
        #expect(next.map(\.left) == [[.bob]])
        #expect(next.map(\.from) == told.map(\.to))
    }

    @Test func onlyTheFirstSessionOfAUserIsTold() {
        var state = HubState.makeOnBus(.alice)
        _ = join(2, .alice, &state, at: 1000)
        #expect(updates(state.timerFires(at: .ms(1050))) == [])
        _ = leave(1, &state, at: 1100)
        #expect(updates(state.timerFires(at: .ms(1150))) == [])
    }

    @Test func userWhoComesBackAtOnceIsNotTold() {
        var state = HubState.makeOnBus(.alice, .bob)
        _ = leave(2, &state, at: 1000)
        _ = join(3, .bob, &state, at: 1010)
        #expect(updates(state.timerFires(at: .ms(1050))) == [])
    }

    @Test func endOfTheRoomIsTold() {
        var state = HubState.makeOnBus(.alice)
        let actions = leave(1, &state, at: 1000)
        #expect(updates(actions).map(\.left) == [[.alice]])
    }

    @Test func usersWaitForTheLink() {
        var state = HubState.makeOnBus(.alice)
        _ = state.actions { $0.busLost(now: .ms(1000), into: &$1) }
        _ = join(2, .bob, &state, at: 1000)
        #expect(updates(state.timerFires(at: .ms(1050))) == [])
        let restored = state.settle(now: .ms(2000)) { $0.busRestored(at: .ms(2000), now: .ms(2000), into: &$1) }
        #expect(updates(restored).map(\.joined) == [[Member(user: .bob)]])
    }

    @Test func versionIsAnnouncedWithEachComparison() {
        var state = HubState.makeOnBus(.alice)
        let actions = state.timerFires(at: .ms(31_000))
        #expect(actions.comparesRooms)
        let version = state.bus.presence[.lobby]?.source.version
        #expect(
            actions.published.contains { published in version.map { published == Published(.presenceIs($0)) } ?? false }
        )
    }

    // MARK: The others' users

    @Test func userOfAnotherNodeIsToldToTheMembers() {
        var state = HubState.makeOnBus(.alice)
        #expect(state.hear(update(to: 100, joined: [.carol]), now: .ms(1000)).presence == [])
        #expect(state.timerFires(at: .ms(1500)).presence == [.presence(joined: [.carol], count: 2)])
        #expect(state.members(of: .lobby).listed == [Member(user: .alice), Member(user: .carol)])
        #expect(state.members(of: .lobby).count == 2)
        _ = state.hear(update(from: 100, to: 101, left: [.carol]), now: .ms(2000))
        #expect(state.timerFires(at: .ms(2500)).presence == [.presence(left: [.carol], count: 1)])
    }

    /// Only the first node with a user, and the last one, are news.
    @Test func userOfSeveralNodesIsPresentOnce() {
        var state = HubState.makeOnBus(.alice, .bob)
        _ = state.hear(update(to: 100, joined: [.bob, .carol]), from: .b, now: .ms(1000))
        _ = state.hear(update(to: 200, joined: [.carol]), from: .c, now: .ms(1000))
        #expect(state.timerFires(at: .ms(1500)).presence == [.presence(joined: [.carol], count: 3)])
        #expect(state.userCount(of: .lobby) == 3)
        // Carol and Bob are on another node still.
        _ = state.hear(update(from: 200, to: 201, left: [.carol]), from: .c, now: .ms(2000))
        _ = leave(2, &state, at: 2000)
        #expect(state.timerFires(at: .ms(2500)).presence == [])
        #expect(state.userCount(of: .lobby) == 3)
        _ = state.hear(update(from: 100, to: 101, left: [.bob]), from: .b, now: .ms(3000))
        #expect(state.timerFires(at: .ms(3500)).presence == [.presence(left: [.bob], count: 2)])
    }

    @Test func userWhoMovesHereIsNoNews() {
        var state = HubState.makeOnBus(.alice)
        _ = state.hear(update(to: 100, joined: [.bob]), now: .ms(1000))
        _ = state.timerFires(at: .ms(1500))
        _ = join(2, .bob, &state, at: 2000)
        _ = state.hear(update(from: 100, to: 101, left: [.bob]), now: .ms(2010))
        #expect(state.timerFires(at: .ms(3000)).presence == [])
        #expect(state.userCount(of: .lobby) == 2)
        _ = leave(2, &state, at: 4000)
        #expect(state.timerFires(at: .ms(4500)).presence == [.presence(left: [.bob], count: 1)])
        #expect(state.userCount(of: .lobby) == 1)
    }

    // MARK: Whole sets

    private func part(_ number: Int, of count: Int, _ users: UserID...) -> ClusterMessage {
        .presencePart(
            .lobby, PresencePart(version: 100, number: number, of: count, users.map { Member(user: $0) }))
    }

    /// A first join that asks two other nodes.
    private func makeAsking() throws -> HubState {
        var state = HubState.makeOnBus()
        _ = state.actions { $0.joined(.make(.number(1), .alice), now: .ms(1000), into: &$1) }
        let actions = state.confirm([.room(.lobby)], now: .ms(1000))
        #expect(actions.published == [Published(.presenceWanted)])
        let (number, read) = try (#require(actions.numbers.first), #require(actions.reads.first))
        _ = state.actions {
            $0.historyRead(
                .join(.make(.number(1), .alice)), .success(.make(head: 0)), read, now: .ms(1000), into: &$1)
        }
        #expect(state.members(of: .lobby).isPartial)
        _ = state.actions { $0.published(number, receivers: 2, now: .ms(1001), into: &$1) }
        return state
    }

    @Test func membersArePartialUntilAllHaveAnswered() throws {
        var state = try makeAsking()
        #expect(state.members(of: .lobby).isPartial)
        _ = state.hear(part(0, of: 2, .bob), to: .node(.a), from: .b, now: .ms(1010))
        _ = state.hear(part(1, of: 2, .carol), to: .node(.a), from: .b, now: .ms(1010))
        #expect(state.members(of: .lobby).isPartial)
        _ = state.hear(part(0, of: 1), to: .node(.a), from: .c, now: .ms(1010))
        #expect(!state.members(of: .lobby).isPartial)
        #expect(state.members(of: .lobby).count == 3)
    }

    @Test func answerMayComeBeforeTheNumberOfReceivers() throws {
        var state = HubState.makeOnBus()
        _ = state.actions { $0.joined(.make(.number(1), .alice), now: .ms(1000), into: &$1) }
        let number = try #require(state.confirm([.room(.lobby)], now: .ms(1000)).numbers.first)
        _ = state.hear(part(0, of: 1, .bob), to: .node(.a), from: .b, now: .ms(1001))
        _ = state.actions { $0.published(number, receivers: 1, now: .ms(1002), into: &$1) }
        #expect(!state.members(of: .lobby).isPartial)
    }

    @Test func answersAreAwaitedForTwoSeconds() throws {
        var state = try makeAsking()
        _ = state.timerFires(at: .ms(2999))
        #expect(state.members(of: .lobby).isPartial)
        _ = state.timerFires(at: .ms(3000))
        #expect(!state.members(of: .lobby).isPartial)
    }

    /// Other nodes' users aren't known then.
    @Test func membersArePartialWithoutBus() {
        var state = HubState.makeOnBus(.alice)
        #expect(!state.members(of: .lobby).isPartial)
        _ = state.actions { $0.busLost(now: .ms(1000), into: &$1) }
        #expect(state.members(of: .lobby).isPartial)
    }

    @Test func versionWithEntriesRevealsALostUpdate() {
        var state = HubState.makeOnBus(.alice)
        _ = state.hear(update(to: 100, joined: [.carol]), now: .ms(1000))
        #expect(state.hear(.entries(1, presence: 100), now: .ms(1000)).published == [])
        let wanted = Published(.presenceWantedOf(.lobby), to: .node(.b))
        #expect(state.hear(.entries(2, presence: 101), now: .ms(1000)).published == [wanted])
        // Once, until the answer is late.
        #expect(state.hear(.entries(3, presence: 102), now: .ms(1000)).published == [])
        #expect(state.timerFires(at: .ms(3000)).published.contains(wanted))
    }

    @Test func announcedVersionRevealsALostUpdate() {
        var state = HubState.makeOnBus(.alice)
        let wanted = Published(.presenceWantedOf(.lobby), to: .node(.b))
        #expect(state.hear(.presenceIs(100), now: .ms(1000)).published == [wanted])
    }

    @Test func lostUpdateIsMendedByTheWholeSet() {
        var state = HubState.makeOnBus(.alice)
        _ = state.hear(update(to: 98, joined: [.bob]), now: .ms(1000))
        // 99 is lost: Bob has left.
        _ = state.hear(update(from: 99, to: 100, joined: [.carol]), now: .ms(1000))
        _ = state.hear(part(0, of: 1, .carol), to: .node(.a), now: .ms(1010))
        #expect(state.members(of: .lobby).listed == [Member(user: .alice), Member(user: .carol)])
    }

    @Test(arguments: [true, false]) func wholeSetIsToldToWhoAsks(_ isForAll: Bool) {
        var state = HubState.makeOnBus(.alice)
        // Not told yet; the set has a version that has everything.
        _ = join(2, .bob, &state, at: 1000)
        let actions =
            isForAll
            ? state.hear(.presenceWanted, now: .ms(1010))
            : state.hear(.presenceWantedOf(.lobby), to: .node(.a), now: .ms(1010))
        #expect(updates(actions).map(\.joined) == [[Member(user: .bob)]])
        let parts = actions.published.compactMap { published -> PresencePart? in
            guard case .presencePart(.lobby, let part) = published.message, published.topic == .node(.b) else {
                return nil
            }
            return part
        }
        #expect(parts.map(\.members) == [[Member(user: .alice), Member(user: .bob)]])
        #expect(parts.map(\.version) == updates(actions).map(\.to))
    }

    /// The node may be asked for a room that it has forgotten.
    @Test func roomThatIsNotInMemoryHasAnEmptySet() throws {
        var state = HubState.makeOnBus(.alice)
        let room = RoomID.named("kitchen")
        let told = try #require(state.hear(.presenceWanted, to: .room(room), now: .ms(1000)).published.first)
        guard case .presencePart(let named, let part) = told.message else {
            Issue.record("\(told)")
            return
        }
        #expect(told.topic == .node(.b))
        #expect(named == room)
        #expect(part.count == 1)
        #expect(part.members == [])
        #expect(state.bus.presence[room] == nil)
    }

    // MARK: Nodes

    @Test func usersOfANodeThatEndsLeave() {
        var state = HubState.makeOnBus(.alice)
        _ = state.hear(update(to: 100, joined: [.bob]), now: .ms(1000))
        _ = state.timerFires(at: .ms(1500))
        // Whoever is silent may live.
        var view = ClusterView.onBus
        (view.answering, view.silent) = ([], [.b])
        _ = state.actions { $0.clusterChanged(view, now: .ms(2000), into: &$1) }
        #expect(state.userCount(of: .lobby) == 2)
        view.silent = []
        _ = state.actions { $0.clusterChanged(view, now: .ms(3000), into: &$1) }
        #expect(state.userCount(of: .lobby) == 1)
        #expect(state.timerFires(at: .ms(3500)).presence == [.presence(left: [.bob], count: 1)])
    }
}
