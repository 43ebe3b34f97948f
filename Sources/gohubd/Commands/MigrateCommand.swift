internal import ArgumentParser
internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubStore

/// `gohubd migrate`: brings the store's schema to this version, or says what would be done.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Migrate the store to this version's schema.",
        discussion: """
            With --check nothing is changed, and the exit code tells: 0 this version can use the store as it is; 3 it \
            must be migrated; 4 a newer version of GoHub wrote it, and this version cannot use it.
            """)

    /// The exit codes of `--check`.
    enum Finding: Int32 {
        case usable = 0
        case needsMigration = 3
        case tooNew = 4

        init(_ verdict: SchemaStatus.Verdict) {
            self =
                switch verdict {
                case .current, .usable: .usable
                case .needsMigration: .needsMigration
                case .tooNew: .tooNew
                }
        }
    }

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Change nothing; print what would be done.")
    var check = false

    func run() async throws {
        let configuration = try DaemonConfiguration(options.values())
        let schema = StoreSchema(try configuration.store.location(), configuration.store)
        let status: SchemaStatus?
        do throws(StoreError) {
            status = try await check ? schema.status() : schema.migrate()
        } catch {
            throw StartError(
                "Cannot \(check ? "check" : "migrate") the store \(error.logText)", underlying: error)
        }
        Console.print(Self.report(schema.location, status, isCheck: check))
        guard check, let status else { return }
        let finding = Finding(status.verdict)
        if finding != .usable { throw ExitCode(finding.rawValue) }
    }

    /// - Parameter status: the schema before; `nil` for a store without one.
    static func report(_ location: StoreLocation, _ status: SchemaStatus?, isCheck: Bool) -> String {
        guard let status else { return "store: \(location)\nThe store has no schema. There is nothing to do.\n" }
        let result =
            switch status.verdict {
            case .current: "There is nothing to do."
            case .usable:
                "A newer version wrote it, and this version can use it. There is nothing to do."
            case .needsMigration:
                isCheck
                    ? "It must be migrated: run `gohubd migrate`, or start the hub with store.migrate set to auto."
                    : "Migrated."
            case .tooNew:
                "A newer version wrote it, for versions with schema \(status.readableFrom) or later. Use a newer "
                    + "version."
            }
        let found = status.found == 0 ? "none" : "\(status.found)"
        return "store: \(location)\nschema found: \(found)\nschema wanted: \(status.wanted)\n\(result)\n"
    }
}
