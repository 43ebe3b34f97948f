@testable import GoHubCore

extension SimulatedHub {
    // MARK: At all times

    func checkInvariants() {
        if areSessionsChanged { checkSessions() }
        areSessionsChanged = false
        for shard in changedShards { check(shards[shard].state) }
        changedShards = []
    }

    private func checkSessions() {
        var active: Set<SessionKey> = []
        for id in openSessions {
            guard let connection = connections[id], let key = keys[id] else { continue }
            if connection.machine.isActive, !active.insert(key).inserted {
                report(.sessions, "two live sessions of \(key)")
            }
            if connection.machine.isClosed { report(.sessions, "\(id) is closed and kept") }
            if connection.machine.commandsInFlight > context.limits.commandsInFlightMax {
                report(.bounds, "\(id) has \(connection.machine.commandsInFlight) commands in flight")
            }
            if connection.queue.byteCount > context.limits.queueBytesMax {
                report(.bounds, "\(id) has too much to write")
            }
        }
        for edge in members {
            for (room, ids) in edge {
                for id in ids where connections[id]?.machine.isActive != true {
                    report(.sessions, "\(id) is dead in \(room.name)")
                }
            }
        }
    }

    private func check(_ shard: HubState) {
        shard.assertInvariants { report(.bounds, $0) }
        for (room, state) in shard.rooms {
            let here = state.members.keys.compactMap { keys[$0] }
            if Set(here).count < here.count { report(.sessions, "two sessions of one key in \(room.name)") }
            if state.members.count > context.limits.membersPerRoomMax {
                report(.bounds, "\(room.name) has \(state.members.count) members")
            }
            // A ban of another hub takes effect here with the next comparison.
            for user in state.users.keys {
                guard let entry = moderation.entry(of: user, in: room), entry.isBan, entry.hub == index else {
                    continue
                }
                report(.sanctions, "\(user) is in \(room.name), and is banned there")
            }
        }
        for (room, catchUp) in shard.catchUps where catchUp.held.count > cluster.holdEntriesMax {
            report(.bounds, "\(room.name) holds \(catchUp.held.count) entries")
        }
    }

    // MARK: Once nothing is in flight

    func checkQuiescence() {
        for id in openSessions {
            if connections[id]?.machine.isActive != true { report(.completeness, "\(id) was never welcomed") }
            if connections[id]?.machine.commandsInFlight != 0 {
                report(.completeness, "\(id) still waits for a reply")
            }
        }
        for shard in shards { checkQuiescence(of: shard.state) }
        checkMembers()
    }

    private func checkQuiescence(of shard: HubState) {
        for (room, state) in shard.rooms {
            for user in state.users.keys where moderation.isBanned(user, from: room) {
                report(.sanctions, "\(user) is still in \(room.name), and is banned there")
            }
            if !state.joining.isEmpty { report(.completeness, "\(room.name) still lets somebody in") }
        }
        if !shard.receiptWriter.isEmpty { report(.completeness, "receipts are left to be stored") }
        if shard.storeRequestsInFlight != 0 {
            report(.completeness, "the store still owes \(shard.storeRequestsInFlight) answers")
        }
        if shard.holdBudget.entries != 0 { report(.completeness, "\(shard.holdBudget.entries) entries are still held") }
    }

    private func checkMembers() {
        var atEdges: [RoomID: Set<SessionID>] = [:]
        for edge in members {
            for (room, ids) in edge where !ids.isEmpty { atEdges[room, default: []].formUnion(ids) }
        }
        var atShards: [RoomID: Set<SessionID>] = [:]
        for shard in shards {
            for (room, state) in shard.state.rooms where !state.members.isEmpty {
                atShards[room] = Set(state.members.keys)
            }
        }
        if atEdges != atShards { report(.sessions, "edges and shards differ: \(atEdges) and \(atShards)") }
        let live = shards.flatMap { shard in shard.state.users.keys.flatMap { shard.state.liveSessions(of: $0) } }
        if Set(live) != Set(openSessions.filter { connections[$0]?.machine.isActive == true }) {
            report(.sessions, "the registered sessions aren't the open ones")
        }
    }
}
