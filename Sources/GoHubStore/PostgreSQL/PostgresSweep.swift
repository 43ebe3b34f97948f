internal import GoHubCore

/// Removes what is too old, in short transactions on the writer's connection. Of several nodes one at a time does.
final class PostgresSweep {
    /// Exits: `waiting` → `commands` → `rooms` → `waiting`.
    private enum Phase {
        case waiting
        case commands
        case rooms(after: Int64)
    }

    /// Rooms that a step looks at.
    private static let roomsMax = 50

    private let settings: StoreSettings
    private let timeout: Milliseconds
    private var phase = Phase.waiting
    private var next: MonotonicTime

    init(_ settings: StoreSettings, timeout: Milliseconds) {
        self.settings = settings
        self.timeout = timeout
        next = .now() + settings.sweepInterval
    }

    /// When the next step is to be made.
    var due: MonotonicTime {
        if case .waiting = phase { next } else { MonotonicTime(nanoseconds: 0) }
    }

    /// The connection is a new one: the lock went with the old.
    func forget() {
        phase = .waiting
    }

    /// All steps, now. When another node is at it, none.
    func all(_ connection: PostgresConnection) throws(PostgresFailure) {
        repeat { try step(connection, rowsMax: 500) } while due <= .now()
    }

    /// - Parameter rowsMax: about how much it may remove.
    func step(_ connection: PostgresConnection, rowsMax: Int) throws(PostgresFailure) {
        do throws(PostgresFailure) {
            switch phase {
            case .waiting:
                next = .now() + settings.sweepInterval
                let locked = try run(connection, "begin_sweep", [])
                if locked.flag(0, 0) { phase = .commands }
            case .commands:
                let limit = settings.clock().before(by: settings.idempotencyWindow)
                let result = try run(
                    connection, "forget", [.bigint(limit.milliseconds), .bigint(Int64(rowsMax))])
                guard result.changes < rowsMax else { return }
                if settings.retention.keepsAll { try end(connection) } else { phase = .rooms(after: 0) }
            case .rooms(let number): try trim(connection, after: number, rowsMax)
            }
        } catch {
            if !error.endsConnection { try? end(connection) }
            phase = .waiting
            throw error
        }
    }

    private func trim(
        _ connection: PostgresConnection, after number: Int64, _ rowsMax: Int
    ) throws(PostgresFailure) {
        let perRoom = Int64(max(1, rowsMax / Self.roomsMax))
        let retention = settings.retention
        let tooOld = retention.ageMax.map { settings.clock().before(by: $0).milliseconds } ?? .min
        let result = try run(
            connection, "find_old",
            [
                .bigint(number), .bigint(Int64(Self.roomsMax)), .bigint(perRoom),
                // Half of the range: what is subtracted from a head can't leave it.
                .bigint(retention.messagesPerRoomMax.map { Int64($0) } ?? .max / 2), .bigint(tooOld),
            ])
        guard result.rows > 0 else { return try end(connection) }
        let old = (0..<result.rows).filter { !result.isNull($0, 1) }
        if !old.isEmpty {
            _ = try connection.transaction(
                old.map { row in
                    .run(name: "remove_old", [.bigint(result.integer(row, 0)), .bigint(result.integer(row, 1))])
                }, deadline: .now() + timeout)
        }
        // A room that used up its share may have more to remove: then the same rooms come again.
        let hasMore = old.contains { result.integer($0, 2) >= perRoom }
        if !hasMore { phase = .rooms(after: result.integer(result.rows - 1, 0)) }
    }

    private func end(_ connection: PostgresConnection) throws(PostgresFailure) {
        phase = .waiting
        _ = try run(connection, "end_sweep", [])
    }

    private func run(
        _ connection: PostgresConnection, _ name: String, _ parameters: [PostgresParameter]
    ) throws(PostgresFailure) -> PostgresResult {
        let results = try connection.run([.run(name: name, parameters)], deadline: .now() + timeout)
        // As many results as commands.
        return results[0]
    }
}
