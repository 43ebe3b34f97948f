import GoHubTestSupport
import Testing

@testable import GoHubCore

struct HubStatePublishingTests {
    private let appendRequest = AppendRequest.make(id: "m1")
    private let position = Position(epoch: epoch, offset: 1)

    @Test func messageIsStoredDeliveredAcknowledged() {
        var state = HubState.makeWithMembers(.alice, .bob)
        #expect(state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) } == [.append(appendRequest)])
        #expect(
            state.actions { $0.stored(appendRequest, .stored(position, at: .ms(0)), now: .ms(1000), into: &$1) } == [
                .deliver(.message(room: .lobby, .make(1))), .send(2, .reply(.ack("m1", offset: 1))),
                // The sender's own receipt is stored later.
                .scheduleTimer(.ms(1250)),
            ])
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func duplicateIsAcknowledgedNotDelivered() {
        var state = HubState.makeWithMembers(.alice, .bob, head: 5)
        _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
        #expect(
            state.actions { $0.stored(appendRequest, .duplicate(position, at: .ms(0)), now: .ms(1000), into: &$1) } == [
                .send(2, .reply(.ack("m1", offset: 1, isDuplicate: true))), .scheduleTimer(.ms(1250)),
            ])
    }

    @Test func storeFailureIsReported() {
        var state = HubState.makeWithMembers(.alice, .bob)
        _ = state.actions { $0.published(appendRequest, now: .ms(1000), into: &$1) }
        #expect(
            state.actions {
                $0.stored(appendRequest, .failed(StoreError("x", mayBeStored: false)), now: .ms(1000), into: &$1)
            } == [
                .send(
                    2,
                    .reply(
                        .error(
                            id: .named("m1"), code: .unavailable,
                            message: "The message could not be stored. Send it again.",
                            retryAfter: 1000)))
            ])
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func roomWithoutMembersAcceptsMessages() {
        var state = HubState()
        let appendRequest = AppendRequest(
            requester: Requester(.service(edge: EdgeID(1), 4), id: .named("m1")), draft: appendRequest.draft)
        #expect(state.actions { $0.published(appendRequest, now: .ms(0), into: &$1) } == [.append(appendRequest)])
        #expect(
            state.actions { $0.stored(appendRequest, .stored(position, at: .ms(0)), now: .ms(0), into: &$1) } == [
                .answer(edge: EdgeID(1), 4, .ack("m1", offset: 1)), .scheduleTimer(.ms(250)),
            ])
        #expect(state.rooms.isEmpty)
    }

    @Test func busyStoreRefuses() {
        var limits = Limits()
        limits.storeRequestsInFlightMax = 1
        var state = HubState.makeWithMembers(.alice, .bob, limits: limits)
        _ = state.actions { $0.published(appendRequest, now: .ms(0), into: &$1) }
        #expect(
            state.actions { $0.published(.make(id: "m2"), now: .ms(0), into: &$1) } == [
                .send(
                    2,
                    .reply(
                        .error(
                            id: .named("m2"), code: .unavailable, message: "The store is busy. Try again shortly.",
                            retryAfter: 1000)))
            ])
    }

    @Test func ephemeralMessageIsOnlyDelivered() {
        var state = HubState.makeWithMembers(.alice, .bob)
        let ephemeral = Event.Ephemeral(id: .named("e"), from: Member(user: .bob), at: .ms(0), text: "text of e")
        #expect(
            state.actions { $0.published(.make(id: "e", isEphemeral: true), now: .ms(1000), into: &$1) } == [
                .deliver(.ephemeral(room: .lobby, ephemeral)), .send(2, .reply(.ack("e", offset: nil))),
            ])
        #expect(state.storeRequestsInFlight == 0)
    }

    @Test func typingIsDeliveredToMembersOnly() {
        var state = HubState.makeWithMembers(.alice)
        #expect(
            state.actions { $0.typed(Member(user: .bob), .lobby, active: true, now: .ms(0), into: &$1) } == [
                .deliver(.typing(room: .lobby, user: .bob, active: true))
            ])
        #expect(
            state.actions { $0.typed(Member(user: .bob), .named("empty"), active: true, now: .ms(0), into: &$1) } == [])
    }

    // MARK: Direct conversations

    private let direct = RoomID(tenant: .standard, name: .direct(.alice, .bob))

    private func addressed(_ user: UserID, _ event: Event) -> HubAction {
        .forward(.userAddressed(UserKey(tenant: .standard, user: user), event))
    }

    @Test func directMessageGoesToBothUsers() {
        var state = HubState()
        let event = Event.directMessage(room: direct.name, epoch: epoch, .make(1))
        #expect(
            state.publish(offset: 1, to: direct, now: .ms(0)) == [
                addressed(.alice, event), addressed(.bob, event),
                .send(2, .reply(.ack("m1", room: direct.name, offset: 1))), .scheduleTimer(.ms(250)),
            ])
        #expect(state.rooms.isEmpty)
    }

    @Test func messageToOneselfIsDeliveredOnce() {
        var state = HubState()
        let own = RoomID(tenant: .standard, name: .direct(.bob, .bob))
        #expect(
            state.publish(offset: 1, to: own, now: .ms(0)).first
                == addressed(.bob, .directMessage(room: own.name, epoch: epoch, .make(1))))
        #expect(state.publish(offset: 2, to: own, now: .ms(0)).count == 2)
    }

    @Test func directJoinGivesHistoryWithoutMembership() {
        var state = HubState()
        let request = JoinRequest.make(.number(1), .alice, room: direct, limit: 2)
        let read = HistoryRequest(room: direct, range: .newest, messagesMax: 2, bytesMax: 128 * 1024, receiptsMax: 201)
        #expect(state.actions { $0.joined(request, now: .ms(0), into: &$1) } == [.read(read, .join(request))])
        #expect(
            state.actions {
                $0.historyRead(
                    .join(request), .success(.make(head: 3, 2...3, more: true)), read, now: .ms(0), into: &$1)
            } == [
                .forward(
                    .conversationJoined(
                        .number(1), UserKey(tenant: .standard, user: .alice),
                        Event.joined(room: direct.name, head: 3, 2...3)))
            ], "the answer takes the way of the conversation's events")
        #expect(state.rooms.isEmpty)
    }

    /// Two sessions read its history while a message is stored: the users receive the message in any order of the
    /// store's answers, and even if the epoch changes.
    @Test(arguments: [epoch, Epoch("e2")])
    func directMessageIsAlwaysDelivered(_ messageEpoch: Epoch) {
        var state = HubState()
        let appendRequest = AppendRequest.make(id: "m1", in: direct)
        _ = state.actions { $0.published(appendRequest, now: .ms(0), into: &$1) }
        for session in [UInt64(1), 2] {
            _ = state.actions { $0.joined(.make(.number(session), .alice, room: direct), now: .ms(0), into: &$1) }
        }
        let read = HistoryRequest(room: direct, range: .newest, messagesMax: 1, bytesMax: 128 * 1024, receiptsMax: 201)
        let pending = PendingRead.join(.make(.number(1), .alice, room: direct))
        _ = state.actions { $0.historyRead(pending, .success(.make(head: 1, 1...1)), read, now: .ms(0), into: &$1) }
        let event = Event.directMessage(room: direct.name, epoch: messageEpoch, .make(1))
        let outcome = AppendOutcome.stored(Position(epoch: messageEpoch, offset: 1), at: .ms(0))
        #expect(
            state.actions { $0.stored(appendRequest, outcome, now: .ms(0), into: &$1) }.prefix(3) == [
                addressed(.alice, event), addressed(.bob, event),
                .send(2, .reply(.ack("m1", room: direct.name, offset: 1, epoch: messageEpoch))),
            ])
    }

    @Test func eventForUserReachesAllLiveDevices() {
        var state = HubState()
        for (serial, device) in [(UInt64(1), DeviceID.phone), (2, .laptop)] {
            _ = state.actions { $0.connected(.number(serial), .of(.alice, device), now: .ms(0), into: &$1) }
        }
        let key = UserKey(tenant: .standard, user: .alice)
        #expect(
            state.actions { $0.userAddressed(key, .ping, into: &$1) } == [
                .send(1, .event(.ping)), .send(2, .event(.ping)),
            ])
        #expect(
            state.actions { $0.userRemoved(key, .removed, into: &$1) } == [
                .send(1, .close(.removed)), .send(2, .close(.removed)),
            ])
        #expect(
            state.actions { $0.userAddressed(UserKey(tenant: .named("other"), user: .alice), .ping, into: &$1) } == [])
    }
}

struct MessageTailTests {
    private func tail(_ offsets: Offset..., limits: Limits = Limits()) -> MessageTail {
        var tail = MessageTail()
        for offset in offsets {
            tail.append(.make(offset), messagesMax: limits.tailMessagesMax, bytesMax: limits.tailBytesMax)
        }
        return tail
    }

    @Test func tailReturnsMessagesAfterOffset() {
        let tail = tail(5, 6, 7)
        #expect(tail.messages(after: 3) == nil)
        #expect(tail.messages(after: 4)?.map(\.offset) == [5, 6, 7])
        #expect(tail.messages(after: 6)?.map(\.offset) == [7])
        #expect(tail.messages(after: 7) == [])
        #expect(tail.messages(after: .max) == [])
        #expect(MessageTail().messages(after: 0) == nil)
    }

    @Test func tailRestartsAfterGap() {
        #expect(tail(1, 2, 5).messages(after: 4)?.map(\.offset) == [5])
        #expect(tail(1, 2, 5).messages(after: 1) == nil)
    }

    @Test func tailIsLimitedInMessagesAndBytes() {
        var limits = Limits()
        limits.tailMessagesMax = 2
        #expect(tail(1, 2, 3, limits: limits).messages(after: 0) == nil)
        #expect(tail(1, 2, 3, limits: limits).messages(after: 1)?.map(\.offset) == [2, 3])
        limits = Limits()
        limits.tailBytesMax = 21  // "text of m1" has 10.
        #expect(tail(1, 2, 3, limits: limits).messages(after: 1)?.map(\.offset) == [2, 3])
        limits.tailBytesMax = 9
        #expect(tail(1, limits: limits).messages(after: 0) == nil)
    }
}
