/// A request of the server itself (`HubControl`), which either hub turns into an input with a reply.
package enum ServiceRequest: Sendable {
    case ask(@Sendable (Requester) -> HubInput)
    /// Answered without the hub.
    case refused(Event)

    package static func publish(
        _ text: String, to room: RoomID, from sender: Member, id: CommandID, _ limits: Limits, at wallTime: WallTime
    ) -> ServiceRequest {
        if let refusal = refusal(of: text, id, limits) { return .refused(refusal) }
        return append(MessageDraft(room: room, id: id, from: sender, receivedAt: wallTime, text: text))
    }

    package static func edit(
        _ offset: Offset, in room: RoomID, to text: String, by author: Member, id: CommandID, _ limits: Limits,
        at wallTime: WallTime
    ) -> ServiceRequest {
        if let refusal = refusal(of: text, id, limits) { return .refused(refusal) }
        let change = ChangeRequest(of: offset, .edit)
        return append(MessageDraft(room: room, id: id, from: author, receivedAt: wallTime, change, text: text))
    }

    package static func delete(
        _ offset: Offset, in room: RoomID, by moderator: Member, id: CommandID, at wallTime: WallTime
    ) -> ServiceRequest {
        let change = ChangeRequest(of: offset, .delete(mayModerate: true))
        return append(MessageDraft(room: room, id: id, from: moderator, receivedAt: wallTime, change))
    }

    package static func history(of room: RoomID, _ range: HistoryRange, limit: Int) -> ServiceRequest {
        .ask { .historyRequested($0, room, range, limit: limit) }
    }

    package static func moderate(_ room: RoomID, _ sanction: Sanction) -> ServiceRequest {
        .ask { .sanctioned($0, room, sanction) }
    }

    private static func append(_ draft: MessageDraft) -> ServiceRequest {
        .ask { .published(AppendRequest(requester: $0, draft: draft)) }
    }

    private static func refusal(of text: String, _ id: CommandID, _ limits: Limits) -> Event? {
        guard !text.isEmpty, !text.utf8.contains(0) else {
            return .error(id: id, code: .badRequest, message: "The text is empty or contains U+0000.")
        }
        guard text.utf8.count <= limits.textBytesMax else {
            return .error(id: id, code: .tooLarge, message: "The text is too long.")
        }
        return nil
    }
}

extension MessageStore {
    /// A room's mutes and bans, ordered by user id; `nil` when the store can't answer.
    package func sanctions(of room: RoomID, max: Int) async -> [UserSanction]? {
        let result = await withCheckedContinuation { continuation in
            readHistory(.sanctions(of: room, max: max)) { continuation.resume(returning: $0) }
        }
        return (try? result.get())?.sanctions.sorted { $0.user < $1.user }
    }
}
