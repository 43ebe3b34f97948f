import GoHubTestSupport
import Testing

@testable import GoHubCore

/// A joined room is followed until the user leaves it.
struct HubStateFollowingTests {
    /// Advances to the time of the pending writes.
    private func written(_ state: inout HubState, at time: MonotonicTime) -> [ReceiptNote] {
        var notes: [ReceiptNote] = []
        for case .storeReceipts(let batch) in state.actions({ $0.timerFired(now: time, into: &$1) }) { notes += batch }
        if !notes.isEmpty { _ = state.actions { $0.receiptsStored(.success(()), now: time, into: &$1) } }
        return notes
    }

    private func note(_ user: UserID, _ receipt: Receipt = Receipt(), follows: Bool?) -> ReceiptNote {
        ReceiptNote(room: .lobby, epoch: epoch, user: user, receipt, follows: follows)
    }

    private func read(_ receipts: UserReceipt..., limits: Limits = Limits()) -> HubState {
        var state = HubState(limits: limits)
        for case .read(let read, let pending) in state.actions({
            $0.joined(.make(.number(1), .alice), now: .ms(0), into: &$1)
        }) {
            var page = HistoryPage.make(head: 9)
            page.receipts = receipts
            _ = state.actions { $0.historyRead(pending, .success(page), read, now: .ms(0), into: &$1) }
        }
        return state
    }

    @Test func joinIsStored() {
        var state = read()
        #expect(written(&state, at: .ms(250)) == [note(.alice, follows: true)])
    }

    @Test func knownJoinIsNotStoredAgain() {
        var state = read(UserReceipt(user: .alice, Receipt(), isFollower: true))
        #expect(written(&state, at: .ms(250)) == [])
    }

    @Test func rejoiningUserFollowsAgain() {
        var state = read(UserReceipt(user: .alice, Receipt(seen: 3), isFollower: false))
        #expect(written(&state, at: .ms(250)) == [note(.alice, follows: true)])
    }

    @Test func reconnectStormWritesNothing() {
        var state = read()
        _ = written(&state, at: .ms(250))
        // Keeps the room in memory.
        state.join(.make(.number(1000), .bob), head: 9, now: .ms(1000))
        for serial in 2..<50 {
            _ = state.actions {
                $0.sessionEnded(.number(UInt64(serial) - 1), .of(.alice), .lobby, now: .ms(1000), into: &$1)
            }
            state.join(.make(.number(UInt64(serial)), .alice), head: 9, now: .ms(1000))
        }
        #expect(written(&state, at: .ms(1250)).filter { $0.user == .alice } == [])
    }

    @Test func joinIsStoredAgainAfterInterval() {
        var state = read()
        _ = written(&state, at: .ms(250))
        let later = MonotonicTime.ms(0) + Following.refreshInterval
        state.join(.make(.number(2), .alice), head: 9, now: later)
        #expect(written(&state, at: later + 250) == [note(.alice, follows: true)])
        state.join(.make(.number(3), .alice), head: 9, now: later + 250)
        #expect(written(&state, at: later + 500) == [])
    }

    @Test func followersAreNotKeptInMemory() {
        var limits = Limits()
        limits.receiptUsersMax = 1
        var state = read(UserReceipt(user: .bob, Receipt()), UserReceipt(user: .carol, Receipt()), limits: limits)
        #expect(written(&state, at: .ms(250)) == [note(.alice, follows: true)])
    }

    @Test func leaveEndsFollowing() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(written(&state, at: .ms(1250)) == [note(.alice, follows: false)])
        state.join(.make(.number(1), .alice), head: 5, now: .ms(2000))
        #expect(written(&state, at: .ms(2250)) == [note(.alice, follows: true)])
    }

    @Test func leaveOnOneDeviceEndsFollowing() {
        var state = HubState.makeWithMembers(.alice, .alice, head: 5)
        _ = state.actions { $0.left(.number(1), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        #expect(written(&state, at: .ms(1250)) == [note(.alice, follows: false)])
    }

    @Test func disconnectOrExpiryKeepsFollowing() {
        var state = HubState.makeWithMembers(.alice, .bob, .carol, head: 5)
        _ = state.actions { $0.sessionEnded(.number(1), .of(.alice), .lobby, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.left(.number(2), .lobby, id: nil, now: .ms(1000), into: &$1) }
        #expect(written(&state, at: .ms(2000)) == [])
    }

    @Test func kickAndBanEndFollowing() {
        var state = HubState.makeWithMembers(.alice, .bob, .carol, head: 5)
        let by = Member(user: .alice)
        _ = state.actions {
            $0.sanctioned(.session(1), .lobby, Sanction(.kick, user: .bob, by: by), now: .ms(1000), into: &$1)
        }
        _ = state.actions {
            $0.sanctioned(
                .session(1), .lobby, Sanction(.ban(minutes: 1), user: .carol, by: by), now: .ms(1000), into: &$1)
        }
        _ = state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) }
        let notes = written(&state, at: .ms(1250))
        #expect(Set(notes) == [note(.bob, follows: false), note(.carol, follows: false)])
    }

    @Test func muteKeepsFollowing() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        let sanction = Sanction(.mute(minutes: 1), user: .bob, by: Member(user: .alice))
        _ = state.actions { $0.sanctioned(.session(1), .lobby, sanction, now: .ms(1000), into: &$1) }
        _ = state.actions { $0.sanctionsStored(.success([.stored]), now: .ms(1000), into: &$1) }
        #expect(written(&state, at: .ms(2000)) == [])
    }

    @Test func earlierSendDoesNotRestoreFollowing() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        _ = state.publish(offset: 6, now: .ms(1000))
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        // Stored only now.
        _ = state.publish(offset: 7, now: .ms(1000))
        let notes = written(&state, at: .ms(1250)).filter { $0.user == .bob }
        #expect(notes == [note(.bob, Receipt(seen: 7), follows: false)])
    }

    @Test func sendFromAnotherDeviceRestoresFollowing() {
        var state = HubState.makeWithMembers(.alice, .bob, .bob, head: 5)
        _ = state.actions { $0.left(.number(2), .lobby, id: .named("l"), now: .ms(1000), into: &$1) }
        _ = state.publish(offset: 6, now: .ms(1000))
        let notes = written(&state, at: .ms(1250)).filter { $0.user == .bob }
        #expect(notes == [note(.bob, Receipt(seen: 6), follows: true)])
    }

    @Test func emptyReceiptsAreNotSent() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        state.join(.make(.number(3), .carol), head: 5, now: .ms(1000))
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        #expect(state.actions { $0.receiptsStored(.success(()), now: .ms(1250), into: &$1) } == [])
        #expect(state.receipts(of: .lobby) == [])
    }

    @Test func emptyRoomIsFollowed() {
        var state = HubState.makeWithMembers(.alice)
        state.join(.make(.number(3), .carol), now: .ms(2000))
        #expect(written(&state, at: .ms(2250)) == [note(.carol, follows: true)])
    }

    @Test func directConversationsAreNotFollowed() {
        var state = HubState()
        let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        state.join(.make(.number(1), .alice, room: room), now: .ms(0))
        #expect(written(&state, at: .ms(1000)) == [])
    }

    @Test func failedFollowIsStoredLater() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        state.join(.make(.number(3), .carol), head: 5, now: .ms(1000))
        _ = state.actions { $0.timerFired(now: .ms(1250), into: &$1) }
        _ = state.actions { $0.left(.number(3), .lobby, id: .named("l"), now: .ms(1250), into: &$1) }
        _ = state.actions { $0.receiptsStored(.failure(StoreError("away")), now: .ms(1250), into: &$1) }
        #expect(written(&state, at: .ms(1500)) == [note(.carol, follows: false)], "the newer word counts")
    }
}
