/// The embedding server's own operations. They go through the inbox, like all inputs of the hub.
extension Hub: HubControl {
    /// A hub has no connections of its own: refusing them for other reasons is up to the embedding server.
    ///
    /// - Returns: `notAccepting` once the hub drains.
    public func refusal(ofAddress address: String?) -> AdmissionRefusal? {
        isAccepting ? nil : .notAccepting
    }

    public func publish(_ text: String, to room: RoomID, from sender: Member, id: CommandID) async -> Event {
        await request(id, .publish(text, to: room, from: sender, id: id, context.limits, at: time.wall()))
    }

    public func edit(
        _ offset: Offset, in room: RoomID, to text: String, by author: Member, id: CommandID
    ) async -> Event {
        await request(
            id, .edit(offset, in: room, to: text, by: author, id: id, context.limits, at: time.wall()))
    }

    public func delete(_ offset: Offset, in room: RoomID, by moderator: Member, id: CommandID) async -> Event {
        await request(id, .delete(offset, in: room, by: moderator, id: id, at: time.wall()))
    }

    public func history(of room: RoomID, _ range: HistoryRange, limit: Int, id: CommandID) async -> Event {
        await request(id, .history(of: room, range, limit: limit))
    }

    /// A `Hub` knows of no other hub.
    public var hasPeers: Bool { false }

    public func members(of room: RoomID) async -> Event.Members {
        await visit { shard, _ in shard.state.members(of: room) }
    }

    public func rooms(of tenant: TenantID) async -> [RoomSummary] {
        await visit { shard, _ in
            shard.state.roomSummaries(of: tenant).map {
                RoomSummary(room: $0.room, users: $0.users, sessions: $0.sessions)
            }
        }
    }

    public func disconnect(_ user: UserKey) async -> Int {
        await visit { shard, _ in
            let count = shard.state.liveSessions(of: user).count
            shard.add(.userRemoved(user, .removed))
            return count
        }
    }

    public func moderate(_ room: RoomID, _ sanction: Sanction, id: CommandID) async -> Event {
        await request(id, .moderate(room, sanction))
    }

    public func revokedPermissions(of user: UserID, in room: RoomID) async -> Permissions? {
        let known: Permissions? = await visit { shard, now in
            shard.state.revokedPermissions(of: user, in: room, now: now)
        }
        if let known { return known }
        guard let sanctions = await sanctions(of: room) else { return nil }
        return sanctions.first { $0.user == user }?.revokedPermissions ?? []
    }

    public func sanctions(of room: RoomID) async -> [UserSanction]? {
        await store.sanctions(of: room, max: context.limits.sanctionsReadMax)
    }

    private func request(_ id: CommandID, _ request: ServiceRequest) async -> Event {
        switch request {
        case .refused(let refusal): refusal
        case .ask(let input):
            await withCheckedContinuation { continuation in
                submit(.asked(id, input) { continuation.resume(returning: $0) })
            }
        }
    }

    /// Runs a query on the shard, after all earlier inputs.
    private func visit<Value: Sendable>(
        _ body: @escaping @Sendable (inout Shard, MonotonicTime) -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            submit(
                .visit { shard, now in
                    let value = body(&shard, now)
                    return { continuation.resume(returning: value) }
                })
        }
    }
}
