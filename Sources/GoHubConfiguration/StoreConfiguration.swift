package import GoHubCore
package import GoHubStore
internal import GoHubSystem

/// The place and the limits of messages.
package struct StoreConfiguration: Sendable {
    /// The place itself, or a file that names it: a URL with a password must not appear on command lines and in
    /// listings.
    package enum Source: Sendable {
        case location(StoreLocation)
        /// The path of a file that contains the location.
        case file(String)

        /// - Throws: `ConfigurationError` for a text that isn't a store. The sources check their values, so only a
        ///   mistake in the table of keys leads here; it must not result in a store that loses messages.
        init(location text: String?) throws(ConfigurationError) {
            guard let text else { throw ConfigurationError("store must be \(ConfigurationKey.store.allowed).") }
            do throws(StoreLocationError) {
                self = .location(try StoreLocation(text))
            } catch {
                throw ConfigurationError("store: \(error).", underlying: error)
            }
        }
    }

    /// What the start does with an older schema.
    package enum Migration: String, CaseIterable, Sendable {
        case auto
        case never
    }

    package var source: Source
    /// Whether the start migrates an older schema, rather than to refuse it.
    package var migrates: Bool
    /// Idempotency and retention; 0 in a setting is no bound.
    package var settings: StoreSettings
    package var sqlite: SQLiteMessageStore.Options
    /// The time limit for an answer of PostgreSQL, including the time in the queue.
    package var postgresDeadline: Milliseconds
    package var memory: InMemoryMessageStore.Capacity

    /// - Throws: `ConfigurationError` when the place is named twice. Reads no file.
    package init(_ values: ConfigurationValues) throws(ConfigurationError) {
        source = try Self.source(values)
        migrates = values.text(.storeMigrate) != Migration.never.rawValue
        settings = StoreSettings()
        settings.idempotencyWindow = .seconds(UInt64(clamping: values.integer(.historyIdempotencyHours)) * 3600)
        settings.retention = Retention(
            ageMax: values.bound(.historyDaysMax).map { .seconds(UInt64(clamping: $0) * 24 * 3600) },
            messagesPerRoomMax: values.bound(.historyMessagesPerRoomMax))
        sqlite = SQLiteMessageStore.Options(bytesMax: values.bound(.sqliteBytesMax))
        sqlite.migrates = migrates
        postgresDeadline = values.milliseconds(.postgresDeadlineMs)
        memory = InMemoryMessageStore.Capacity(
            roomsMax: values.integer(.memoryRoomsMax), messagesPerRoomMax: values.integer(.memoryMessagesPerRoomMax),
            bytesPerRoomMax: values.integer(.memoryBytesPerRoomMax), bytesMax: values.integer(.memoryBytesMax))
    }

    private static func source(_ values: ConfigurationValues) throws(ConfigurationError) -> Source {
        guard let file = values.text(.storeFile) else {
            return try Source(location: values.text(.store))
        }
        guard values.origin(of: .store) == nil else {
            throw ConfigurationError("store and storeFile are both set. Remove one.")
        }
        return .file(file)
    }

    /// The place, read from its file if it has one.
    ///
    /// - Throws: `ConfigurationError`, without a part of the URL, when the file can't be read or isn't a location.
    package func location() throws(ConfigurationError) -> StoreLocation {
        switch source {
        case .location(let location): return location
        case .file(let path):
            let bytes: [UInt8]
            do throws(BoundedFile.Failure) {
                bytes = try BoundedFile.readSecret(path, bytesMin: 0)
            } catch {
                throw ConfigurationError("storeFile: \(error).", underlying: error)
            }
            do throws(StoreLocationError) {
                return try StoreLocation(String(decoding: bytes, as: UTF8.self))
            } catch {
                throw ConfigurationError("storeFile: the contents of \(path) are invalid: \(error).", underlying: error)
            }
        }
    }
}

extension ConfigurationValues {
    /// A number for which 0 means no bound.
    fileprivate func bound(_ key: ConfigurationKey) -> Int? {
        let number = integer(key)
        return number == 0 ? nil : number
    }
}
