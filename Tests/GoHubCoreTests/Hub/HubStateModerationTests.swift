import GoHubTestSupport
import Testing

@testable import GoHubCore

struct HubStateModerationTests {
    /// A moderator's command, and the store's answer to it.
    private func sanction(
        _ state: inout HubState, _ kind: Sanction.Kind, _ user: UserID = .bob, _ outcome: SanctionNote.Outcome? = nil,
        now: MonotonicTime = .ms(1000)
    ) -> [HubAction] {
        let asked = ask(&state, kind, user, now: now)
        guard case .storeSanctions(let notes) = asked.first else { return asked }
        let outcomes = notes.map { outcome ?? ($0.kind == .pardon ? .lifted : .stored) }
        return state.actions { $0.sanctionsStored(.success(outcomes), now: now, into: &$1) }
    }

    private func ask(
        _ state: inout HubState, _ kind: Sanction.Kind, _ user: UserID = .bob, id: String = "r",
        now: MonotonicTime = .ms(1000)
    ) -> [HubAction] {
        state.actions {
            $0.sanctioned(
                .session(1, id: id), .lobby, Sanction(kind, user: user, by: Member(user: .alice)), now: now, into: &$1)
        }
    }

    private func record(_ kind: Sanction.Kind, _ user: UserID = .bob) -> HubAction {
        let sanction = Sanction(kind, user: user, by: Member(user: .alice))
        return .moderated(Sanction.Record(room: .lobby, sanction: sanction, isByService: false))
    }

    private func note(_ kind: SanctionNote.Kind, _ user: UserID = .bob, max: Int = 1000) -> HubAction {
        .storeSanctions([SanctionNote(room: .lobby, user: user, kind, perRoomMax: max)])
    }

    /// The audit line, the answer, and the room's event.
    private func told(_ text: String, _ kind: Sanction.Kind, id: String = "r") -> [HubAction] {
        [
            record(kind), .send(1, .reply(.notice(id: .named(id), room: .lobby, text: text))),
            .deliver(.notice(id: nil, room: .lobby, text: text)),
        ]
    }

    private func refused(_ code: ErrorCode, _ message: String, wait: Milliseconds? = nil, id: String = "r")
        -> HubMessage
    {
        .reply(.error(id: .named(id), code: code, message: message, retryAfter: wait))
    }

    private let banned = HubMessage.joinRefused(
        .lobby, .error(id: .named("j"), code: .forbidden, message: "You are banned from this room."))

    // MARK: Effects

    @Test func kickRemovesAllDevices() {
        var state = HubState.makeWithMembers(.alice, .bob, .bob, head: 5)
        let text = "bob was kicked by alice"
        let left = HubMessage.left(.lobby, .left(id: nil, room: .lobby, reason: text))
        let told = told(text, .kick)
        #expect(
            sanction(&state, .kick) == [
                told[0], told[1], .scheduleTimer(.ms(1250)), .send(2, left), .send(3, left), told[2],
            ])
        #expect(!state.isMember(2) && !state.isMember(3))
        state.join(.make(.number(2), .bob), now: .ms(1000))
        #expect(state.isMember(2), "and they may come back")
    }

    @Test func onlyMembersCanBeKicked() {
        var state = HubState.makeWithMembers(.alice)
        #expect(sanction(&state, .kick) == [.send(1, refused(.notFound, "bob is not in this room."))])
    }

    @Test func mutedUserCanOnlyRead() {
        var state = HubState.makeWithMembers(.alice, .bob)
        #expect(ask(&state, .mute(minutes: 2)) == [note(.mute(120_000))])
        #expect(
            state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) }
                == told("bob was muted for 2 min by alice", .mute(minutes: 2)))
        #expect(state.isMember(2))
        let muted = refused(.forbidden, "You are muted in this room.", wait: 60_000, id: "m1")
        #expect(state.actions { $0.published(.make(id: "m1"), now: .ms(61_000), into: &$1) } == [.send(2, muted)])
        #expect(
            state.actions { $0.published(.make(id: "m1", isEphemeral: true), now: .ms(61_000), into: &$1) } == [
                .send(2, muted)
            ])
        #expect(
            state.actions { $0.published(.make(id: "m1"), now: .ms(121_000), into: &$1) } == [.append(.make(id: "m1"))])
    }

    @Test func muteOutlivesMembership() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .mute(minutes: 1))
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        state.join(.make(.number(3), .bob), now: .ms(1000))
        #expect(state.isMember(3))
        #expect(
            state.actions { $0.published(.make(by: .number(3), id: "m1"), now: .ms(1000), into: &$1) } != [
                .append(.make(id: "m1"))
            ])
    }

    @Test func bannedUserCannotJoin() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        let text = "bob was banned for 1 min by alice"
        let told = told(text, .ban(minutes: 1))
        #expect(ask(&state, .ban(minutes: 1)) == [note(.ban(60_000))])
        #expect(
            state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) } == [
                told[0], told[1], .scheduleTimer(.ms(1250)),
                .send(2, .left(.lobby, .left(id: nil, room: .lobby, reason: text))), told[2],
            ])
        let request = JoinRequest.make(.number(2), .bob)
        #expect(state.actions { $0.joined(request, now: .ms(60_999), into: &$1) } == [.send(2, banned)])
        #expect(
            state.actions { $0.joined(request, now: .ms(61_000), into: &$1) }.first
                == .send(2, .joined(Event.joined(head: 5, members: .alice, .bob))))
    }

    @Test func muteDoesNotLiftBan() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .ban(minutes: 5))
        let message = "bob is banned here. Pardon the user before muting."
        #expect(
            sanction(&state, .mute(minutes: 1), .bob, .banned(left: 240_000)) == [.send(1, refused(.conflict, message))]
        )
        state.join(.make(.number(2), .bob), now: .ms(2000))
        #expect(!state.isMember(2))
    }

    /// Another hub on the same store may have banned them.
    @Test func bannedMemberFoundInStoreIsRemoved() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .mute(minutes: 1), .bob, .banned(left: 240_000))
        #expect(!state.isMember(2))
        #expect(
            state.actions { $0.joined(.make(.number(2), .bob), now: .ms(240_999), into: &$1) } == [.send(2, banned)])
    }

    @Test func mutedTypingIsNotShown() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .mute(minutes: 1), now: .ms(0))
        #expect(state.actions { $0.typed(Member(user: .bob), .lobby, active: true, now: .ms(59_999), into: &$1) } == [])
        #expect(state.actions { $0.typed(Member(user: .bob), .lobby, active: true, now: .ms(60_000), into: &$1) } != [])
    }

    @Test func pardonEndsMuteAndBan() {
        var state = HubState.makeWithMembers(.alice, .bob)
        #expect(
            sanction(&state, .pardon, .bob, .notFound) == [
                .send(1, refused(.notFound, "bob is neither muted nor banned here."))
            ])
        _ = sanction(&state, .mute(minutes: 1))
        #expect(sanction(&state, .pardon) == told("bob was pardoned by alice", .pardon))
        #expect(
            state.actions { $0.published(.make(id: "m1"), now: .ms(1000), into: &$1) } == [.append(.make(id: "m1"))])
    }

    @Test func sanctionLengthIsLimited() {
        var limits = Limits()
        limits.sanctionMinutesMax = 5
        var state = HubState.makeWithMembers(.alice, .bob, limits: limits)
        #expect(
            sanction(&state, .mute(minutes: .max), now: .ms(0))
                == told("bob was muted for 5 min by alice", .mute(minutes: 5)))
        #expect(state.actions { $0.published(.make(id: "m1"), now: .ms(299_999), into: &$1) }.count == 1)
        #expect(
            state.actions { $0.published(.make(id: "m1"), now: .ms(300_000), into: &$1) } == [.append(.make(id: "m1"))])
    }

    @Test func sanctionsPerRoomAreLimited() {
        var limits = Limits()
        limits.sanctionsPerRoomMax = 1
        var state = HubState.makeWithMembers(.alice, .bob, limits: limits)
        #expect(ask(&state, .mute(minutes: 1)) == [note(.mute(60_000), max: 1)])
        #expect(
            state.actions { $0.sanctionsStored(.success([.tooMany]), now: .ms(1000), into: &$1) } == [
                .send(1, refused(.unavailable, "Too many users are muted or banned here. Pardon some first."))
            ])
        #expect(
            state.actions { $0.published(.make(id: "m1"), now: .ms(1000), into: &$1) } == [.append(.make(id: "m1"))])
    }

    @Test func directConversationIsNotModerated() {
        var state = HubState.makeWithMembers(.alice)
        let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        let requester = Requester(.service(edge: EdgeID(0), 1), id: .named("r"))
        for kind in [Sanction.Kind.kick, .mute(minutes: 1), .ban(minutes: 1), .pardon] {
            let sanction = Sanction(kind, user: .bob, by: Member(user: .carol))
            let message = "Direct conversations cannot be moderated."
            #expect(
                state.actions { $0.sanctioned(requester, room, sanction, now: .ms(0), into: &$1) } == [
                    .answer(
                        edge: EdgeID(0), 1, .error(id: .named("r"), code: .badRequest, message: message))
                ])
        }
    }

    /// The embedding server may do anything.
    @Test func muteDoesNotRestrictServerAPI() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .mute(minutes: 1))
        let draft = AppendRequest.make(id: "m1").draft
        let appendRequest = AppendRequest(
            requester: Requester(.service(edge: EdgeID(0), 1), id: .named("m1")), draft: draft)
        #expect(state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) } == [.append(appendRequest)])
    }

    @Test func auditNamesServerAPI() {
        var state = HubState.makeWithMembers(.alice, .bob)
        let sanction = Sanction(.kick, user: .bob, by: Member(user: .named("server")))
        let requester = Requester(.service(edge: EdgeID(0), 1), id: .named("r"))
        let actions = state.actions { $0.sanctioned(requester, .lobby, sanction, now: .ms(0), into: &$1) }
        #expect(
            actions.first == .moderated(Sanction.Record(room: .lobby, sanction: sanction, isByService: true)))
    }

    // MARK: Stored before they take effect

    @Test func unstoredBanHasNoEffect() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = ask(&state, .ban(minutes: 1))
        #expect(state.isMember(2))
        #expect(
            state.actions { $0.published(.make(id: "m1"), now: .ms(1000), into: &$1) } == [.append(.make(id: "m1"))])
        _ = state.actions {
            $0.stored(
                .make(id: "m1"), .stored(Position(epoch: epoch, offset: 1), at: .ms(0)), now: .ms(1000), into: &$1)
        }
        let actions = state.actions { $0.sanctionsStored(.failure(StoreError("away")), now: .ms(1000), into: &$1) }
        #expect(
            actions.last == .send(1, refused(.unavailable, "The store is unavailable. Try again shortly.", wait: 1000)))
        #expect(state.isMember(2))
        #expect(
            state.actions { $0.published(.make(id: "m2"), now: .ms(1000), into: &$1) } == [.append(.make(id: "m2"))])
    }

    /// The connection to the store may have been lost between the two writes.
    @Test func banWithLostAnswerTakesEffectAfterRead() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = ask(&state, .ban(minutes: 1))
        let read = HistoryRequest.sanctions(of: .lobby, max: 100_000)
        #expect(
            state.actions { $0.sanctionsStored(.failure(StoreError("away")), now: .ms(1000), into: &$1) }.first
                == .read(read, .sanctions))
        // The read fails too: the next join repeats it.
        _ = state.actions { $0.historyRead(.sanctions, .failure(StoreError("away")), read, now: .ms(2000), into: &$1) }
        #expect(
            state.actions { $0.joined(.make(.number(3), .carol), now: .ms(3000), into: &$1) }.first
                == .read(read, .sanctions))
        var page = HistoryPage.make(head: 0)
        page.sanctions = [UserSanction(user: .bob, isBan: true, left: 57_000)]
        let left = Event.left(id: nil, room: .lobby, reason: "bob was banned")
        #expect(
            state.actions { $0.historyRead(.sanctions, .success(page), read, now: .ms(3000), into: &$1) }
                .contains(.send(2, .left(.lobby, left))))
        #expect(!state.isMember(2))
        #expect(state.actions { $0.joined(.make(.number(2), .bob), now: .ms(59_999), into: &$1) } == [.send(2, banned)])
    }

    @Test func sanctionWritesAreBatched() {
        var state = HubState.makeWithMembers(.alice, .bob)
        #expect(ask(&state, .ban(minutes: 1), id: "a") == [note(.ban(60_000))])
        #expect(ask(&state, .pardon, id: "b") == [])
        #expect(ask(&state, .mute(minutes: 1), id: "c") == [])
        let next = state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) }
        let notes = [SanctionNote.Kind.pardon, .mute(60_000)].map {
            SanctionNote(room: .lobby, user: .bob, $0, perRoomMax: 1000)
        }
        #expect(next.first == .storeSanctions(notes))
        #expect(next.contains(told("bob was banned for 1 min by alice", .ban(minutes: 1), id: "a")[1]))
        let last = state.actions { $0.sanctionsStored(.success([.lifted, .stored]), now: .ms(1000), into: &$1) }
        #expect(
            last == told("bob was pardoned by alice", .pardon, id: "b")
                + told("bob was muted for 1 min by alice", .mute(minutes: 1), id: "c"))
        state.join(.make(.number(2), .bob), now: .ms(1000))
        #expect(state.isMember(2), "the ban was lifted")
        #expect(state.actions { $0.published(.make(id: "m1"), now: .ms(1000), into: &$1) }.count == 1)
        #expect(
            state.actions { $0.published(.make(id: "m1"), now: .ms(1000), into: &$1) } != [.append(.make(id: "m1"))],
            "the mute holds")
    }

    @Test func waitingSanctionsAreLimited() {
        var limits = Limits()
        limits.storeRequestsInFlightMax = 1
        var state = HubState.makeWithMembers(.alice, .bob, limits: limits)
        _ = ask(&state, .ban(minutes: 1))
        #expect(
            ask(&state, .pardon) == [
                .send(1, refused(.unavailable, "The store is busy. Try again shortly.", wait: 1000))
            ])
    }

    @Test func drainWaitsForStoredSanctions() {
        var state = HubState()
        let requester = Requester(.service(edge: EdgeID(0), 1), id: .named("r"))
        let sanction = Sanction(.ban(minutes: 1), user: .bob, by: Member(user: .alice))
        _ = state.actions { $0.sanctioned(requester, .lobby, sanction, now: .ms(0), into: &$1) }
        #expect(
            state.actions { $0.drainStarted(DrainPlan(closeOver: 100, reconnectOver: 100), now: .ms(0), into: &$1) }
                == [])
        #expect(state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(0), into: &$1) }.last == .drained)
    }

    // MARK: Rooms that are not in memory

    @Test func roomIsEvictedWithItsSanctions() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = sanction(&state, .ban(minutes: 1))
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(state.rooms.isEmpty)
        #expect(state.revokedPermissions(of: .bob, in: .lobby, now: .ms(1000)) == nil, "the store knows")
    }

    @Test func firstJoinReadsSanctions() throws {
        var state = HubState()
        let request = JoinRequest.make(.number(2), .bob)
        guard case .read(let read, let pending) = state.actions({ $0.joined(request, now: .ms(0), into: &$1) }).first
        else {
            Issue.record("nothing was read")
            return
        }
        #expect(read.sanctionsMax == 100_000)
        var page = HistoryPage.make(head: 3)
        page.sanctions = [
            UserSanction(user: .bob, isBan: true, left: 60_000), UserSanction(user: .carol, isBan: false, left: 30_000),
        ]
        #expect(
            state.actions { $0.historyRead(pending, .success(page), read, now: .ms(0), into: &$1) } == [
                .send(2, banned)
            ])
        #expect(state.rooms.isEmpty)

        // Carol may join but not write. While she is in, the room is in memory.
        for case .read(let read, let pending) in state.actions({
            $0.joined(.make(.number(3), .carol), now: .ms(0), into: &$1)
        }) {
            _ = state.actions { $0.historyRead(pending, .success(page), read, now: .ms(0), into: &$1) }
        }
        #expect(state.isMember(3))
        let muted = refused(.forbidden, "You are muted in this room.", wait: 30_000, id: "m1")
        #expect(
            state.actions { $0.published(.make(by: .number(3), .carol, id: "m1"), now: .ms(0), into: &$1) } == [
                .send(3, muted)
            ])
        #expect(state.actions { $0.joined(request, now: .ms(59_999), into: &$1) } == [.send(2, banned)])
        #expect(state.revokedPermissions(of: .bob, in: .lobby, now: .ms(59_999)) == .all)
        #expect(state.revokedPermissions(of: .carol, in: .lobby, now: .ms(29_999)) == .write)
        #expect(state.revokedPermissions(of: .bob, in: .lobby, now: .ms(60_000)) == [])
    }

    /// Includes bans from times when more, or any, might have been stored.
    @Test func allSanctionsAreReadRegardlessOfLimit() {
        var limits = Limits()
        limits.sanctionsPerRoomMax = 0
        var state = HubState(limits: limits)
        for case .read(let read, let pending) in state.actions({
            $0.joined(.make(.number(2), .bob), now: .ms(0), into: &$1)
        }) {
            #expect(read.sanctionsMax == 100_000)
            _ = state.actions { $0.historyRead(pending, .success(.make(head: 0)), read, now: .ms(0), into: &$1) }
        }
        #expect(state.actions { $0.published(.make(id: "m1"), now: .ms(0), into: &$1) } == [.append(.make(id: "m1"))])
    }

    /// The page may have been read before the ban, or after.
    @Test(arguments: [true, false])
    func sanctionsStoredDuringReadApply(_ isBan: Bool) {
        var state = HubState()
        guard
            case .read(let read, let pending) = state.actions({
                $0.joined(.make(.number(2), .bob), now: .ms(0), into: &$1)
            }).first
        else {
            Issue.record("nothing was read")
            return
        }
        let requester = Requester(.service(edge: EdgeID(0), 1), id: .named("r"))
        let kind = isBan ? Sanction.Kind.ban(minutes: 1) : .pardon
        _ = state.actions {
            $0.sanctioned(
                requester, .lobby, Sanction(kind, user: .bob, by: Member(user: .alice)), now: .ms(0), into: &$1)
        }
        _ = state.actions { $0.sanctionsStored(.success([isBan ? .stored : .lifted]), now: .ms(0), into: &$1) }
        var page = HistoryPage.make(head: 0)
        if !isBan { page.sanctions = [UserSanction(user: .bob, isBan: true, left: 60_000)] }
        let actions = state.actions { $0.historyRead(pending, .success(page), read, now: .ms(0), into: &$1) }
        #expect(actions.contains(.send(2, banned)) == isBan)
        #expect(state.isMember(2) == !isBan)
    }

    /// They were kicked, but their edge doesn't know yet.
    @Test func roomNotInMemoryRefusesMessages() {
        var state = HubState.makeWithMembers(.bob)
        _ = sanction(&state, .ban(minutes: 1))
        #expect(state.rooms.isEmpty)
        let refusal = HubAction.send(2, refused(.conflict, "Join the room first.", id: "m1"))
        #expect(state.actions { $0.published(.make(id: "m1"), now: .ms(1000), into: &$1) } == [refusal])
        #expect(
            state.actions { $0.published(.make(id: "m1", isEphemeral: true), now: .ms(1000), into: &$1) } == [refusal])
        // The same while another user's first join is pending.
        _ = state.actions { $0.joined(.make(.number(3), .carol), now: .ms(1000), into: &$1) }
        #expect(state.rooms.count == 1)
        #expect(state.actions { $0.published(.make(id: "m1"), now: .ms(1000), into: &$1) } == [refusal])
    }

    /// The same for their requests, including earlier ones.
    @Test func removedUserReceivesNothing() {
        var state = HubState.makeWithMembers(.alice, .bob)
        guard
            case .read(let read, let pending) = state.actions({
                $0.historyRequested(.session(2), .lobby, .newest, limit: 5, into: &$1)
            }).first
        else {
            Issue.record("nothing was read")
            return
        }
        _ = sanction(&state, .ban(minutes: 1))
        let refusal = HubAction.send(2, refused(.conflict, "Join the room first."))
        #expect(
            state.actions { $0.historyRead(pending, .success(.make(head: 5, 1...5)), read, now: .ms(1000), into: &$1) }
                == [refusal])
        #expect(state.actions { $0.historyRequested(.session(2), .lobby, .newest, limit: 5, into: &$1) } == [refusal])
        #expect(state.actions { $0.membersRequested(.session(2), .lobby, into: &$1) } == [refusal])
    }
}
