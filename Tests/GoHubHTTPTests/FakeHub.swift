import GoHubWire
import Synchronization

@testable import GoHubCore
@testable import GoHubHTTP

/// A hub that gives the answers set by a test, and records its requests.
final class FakeHub: HubControl {
    struct Published: Equatable {
        var text: String
        var room: RoomID
        var sender: Member
        var id: CommandID
    }

    struct Deleted: Equatable {
        var offset: Offset
        var room: RoomID
        var moderator: Member
        var id: CommandID
    }

    struct State {
        var isAccepting = true
        var hasPeers = false
        var refusal: Hub.AdmissionRefusal?
        var answer: (@Sendable (RoomID, CommandID) -> Event) = { room, id in
            .ack(
                Event.Ack(
                    id: id, room: room.name, position: Position(epoch: Epoch("e1"), offset: 7),
                    at: WallTime(milliseconds: 1_234), isDuplicate: false))
        }
        var published: [Published] = []
        var deleted: [Deleted] = []
        var disconnected: [UserKey] = []
        var membersAsked: [RoomID] = []
        var tenantsAsked: [TenantID] = []
        var revokedPermissions: [UserID: Permissions] = [:]
        /// Whether it can answer for revoked permissions, mutes and bans.
        var knowsSanctions = true
        var sanctions: [UserSanction] = []
        var moderated: [Moderated] = []
        var moderationAnswer: (@Sendable (RoomID, CommandID) -> Event) = { room, id in
            .notice(id: id, room: room.name, text: "done")
        }
    }

    struct Moderated: Equatable {
        var room: RoomID
        var sanction: Sanction
    }

    private let state = Mutex(State())

    func withState<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        state.withLock { body(&$0) }
    }

    var isAccepting: Bool { state.withLock { $0.isAccepting } }

    var hasPeers: Bool { state.withLock { $0.hasPeers } }

    func refusal(ofAddress address: String?) -> Hub.AdmissionRefusal? { state.withLock { $0.refusal } }

    func publish(_ text: String, to room: RoomID, from sender: Member, id: CommandID) async -> Event {
        state.withLock { state in
            state.published.append(Published(text: text, room: room, sender: sender, id: id))
            return state.answer(room, id)
        }
    }

    func delete(_ offset: Offset, in room: RoomID, by moderator: Member, id: CommandID) async -> Event {
        state.withLock { state in
            state.deleted.append(Deleted(offset: offset, room: room, moderator: moderator, id: id))
            return state.answer(room, id)
        }
    }

    func edit(
        _ offset: Offset, in room: RoomID, to text: String, by author: Member, id: CommandID
    ) async -> Event {
        state.withLock { $0.answer(room, id) }
    }

    func history(of room: RoomID, _ range: HistoryRange, limit: Int, id: CommandID) async -> Event {
        let head = Position(epoch: Epoch("e1"), offset: 0)
        return .page(id: id, room: room.name, HistoryPage(head: head, messages: [], more: false))
    }

    func disconnect(_ user: UserKey) async -> Int {
        state.withLock { state in
            state.disconnected.append(user)
            return 2
        }
    }

    func members(of room: RoomID) async -> Event.Members {
        state.withLock { $0.membersAsked.append(room) }
        let listed = [UserID("alice").map { Member(user: $0, name: "Alice") }].compactMap { $0 }
        return Event.Members(listed: listed, count: 3, isPartial: hasPeers)
    }

    func revokedPermissions(of user: UserID, in room: RoomID) async -> Permissions? {
        state.withLock { $0.knowsSanctions ? $0.revokedPermissions[user] ?? [] : nil }
    }

    func sanctions(of room: RoomID) async -> [UserSanction]? {
        state.withLock { $0.knowsSanctions ? $0.sanctions : nil }
    }

    func moderate(_ room: RoomID, _ sanction: Sanction, id: CommandID) async -> Event {
        state.withLock { state in
            state.moderated.append(Moderated(room: room, sanction: sanction))
            return state.moderationAnswer(room, id)
        }
    }

    func rooms(of tenant: TenantID) async -> [Hub.RoomSummary] {
        state.withLock { $0.tenantsAsked.append(tenant) }
        return ["lobby", "team"].compactMap(RoomName.init).map {
            Hub.RoomSummary(room: $0, users: 2, sessions: 3)
        }
    }
}
