public import GoHubCore

/// The server's own operations. Each loop runs its part on its own thread.
extension HubServer: HubControl {
    public func publish(_ text: String, to room: RoomID, from sender: Member, id: CommandID) async -> Event {
        await request(id, .publish(text, to: room, from: sender, id: id, context.limits, at: .now()))
    }

    public func edit(
        _ offset: Offset, in room: RoomID, to text: String, by author: Member, id: CommandID
    ) async -> Event {
        await request(id, .edit(offset, in: room, to: text, by: author, id: id, context.limits, at: .now()))
    }

    public func delete(_ offset: Offset, in room: RoomID, by moderator: Member, id: CommandID) async -> Event {
        await request(id, .delete(offset, in: room, by: moderator, id: id, at: .now()))
    }

    public func history(of room: RoomID, _ range: HistoryRange, limit: Int, id: CommandID) async -> Event {
        await request(id, .history(of: room, range, limit: limit))
    }

    public func moderate(_ room: RoomID, _ sanction: Sanction, id: CommandID) async -> Event {
        await request(id, .moderate(room, sanction))
    }

    /// Sends a request to the hub through a loop, and waits for the reply.
    private func request(_ id: CommandID, _ request: ServiceRequest) async -> Event {
        let stopped = Event.error(id: id, code: .unavailable, message: "The hub has stopped.")
        switch request {
        case .refused(let refusal): return refusal
        case .ask(let input):
            guard let shared else { return stopped }
            return await withCheckedContinuation { continuation in
                let message = LoopMessage.run(
                    { loop in loop.request(id, input) { continuation.resume(returning: $0) } },
                    otherwise: { continuation.resume(returning: stopped) })
                if !shared.mailboxes[0].put([message]) { continuation.resume(returning: stopped) }
            }
        }
    }

    public func disconnect(_ user: UserKey) async -> Int {
        guard let shared else { return 0 }
        return await ask(shared.shard(of: .user(user)), orElse: 0) { loop in
            let count = loop.shard.state.liveSessions(of: user).count
            loop.shard.add(.userRemoved(user, .removed))
            return count
        }
    }

    public func members(of room: RoomID) async -> Event.Members {
        guard let shared else { return Event.Members() }
        return await ask(shared.shard(of: .room(room)), orElse: Event.Members()) { $0.shard.state.members(of: room) }
    }

    /// - Returns: `nil` when the store is unavailable; all permissions when the hub has stopped.
    public func revokedPermissions(of user: UserID, in room: RoomID) async -> Permissions? {
        guard let shared else { return .all }
        let known: Permissions? = await ask(shared.shard(of: .room(room)), orElse: .all) { loop in
            loop.shard.state.revokedPermissions(of: user, in: room, now: loop.loop.now)
        }
        if let known { return known }
        guard let sanctions = await sanctions(of: room) else { return nil }
        return sanctions.first { $0.user == user }?.revokedPermissions ?? []
    }

    public func sanctions(of room: RoomID) async -> [UserSanction]? {
        await store.sanctions(of: room, max: context.limits.sanctionsReadMax)
    }

    public func rooms(of tenant: TenantID) async -> [Hub.RoomSummary] {
        var rooms: [Hub.RoomSummary] = []
        for index in shared?.mailboxes.indices ?? 0..<0 {
            rooms += await ask(index, orElse: []) { loop in
                loop.shard.state.roomSummaries(of: tenant).map {
                    Hub.RoomSummary(room: $0.room, users: $0.users, sessions: $0.sessions)
                }
            }
        }
        return rooms.sorted { $0.room.value < $1.room.value }
    }
}
